"""Templates of many photographs, from the cache as far as it has them.

The networks are opened at the first photograph that the cache does not have, so a second run
over the same photographs loads none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from facematch.errors import (
    ImageDecodeError,
    ImageTooLargeError,
    InputError,
    LowQualityError,
    NoFaceError,
    SeveralFacesError,
)
from facematch.imaging.decode import DEFAULT_LIMITS
from facematch.imaging.reading import file_sha256
from facematch.pipeline.analyzer import AnalyzedPhotograph, Analyzer
from facematch.pipeline.cache import Acquired, Recipe, TemplateCache
from facematch.types import BoolArray, Failure, Float32Array, ModelIdentity, UInt8Array

# Photographs looked up, embedded and stored together: what an interruption loses.
PHOTOGRAPHS_PER_BLOCK = 256

# Stands for the path in a stored message; no path can hold it.
_PATH = "\0"

_OF_THE_BYTES = (
    ImageDecodeError,
    ImageTooLargeError,
    LowQualityError,
    NoFaceError,
    SeveralFacesError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What n photographs gave.

    Attributes:
        templates: float32 (n, d), unit norm; NaN in the rows of failures.
        sha256: hexadecimal digest of each photograph's bytes; None where it was not read.
        failures: photographs without a template, in their order.
        reused: photographs whose templates, or failures, came from the cache.
    """

    templates: Float32Array
    sha256: tuple[str | None, ...]
    failures: tuple[Failure, ...]
    reused: int

    @property
    def acquired(self) -> BoolArray:
        """bool (n,): which photographs have a template."""
        acquired: BoolArray = ~np.isnan(self.templates[:, 0])
        return acquired


class TemplateSource:
    """Gives the template of the one face that stands for each photograph.

    Args:
        identity: of the model.
        open_analyzer: opens the networks; called once, when first needed. The analyzer must
            choose one face a photograph.
        recipe: what decides the templates, for the cache; None to do without.
    """

    def __init__(
        self,
        identity: ModelIdentity,
        open_analyzer: Callable[[], Analyzer],
        recipe: Recipe | None = None,
    ) -> None:
        self.identity = identity
        self._open_analyzer = open_analyzer
        self._analyzer: Analyzer | None = None
        self._cache = None if recipe is None else TemplateCache(recipe)

    def gather(
        self,
        paths: Sequence[Path],
        progress: Callable[[int, int], None] = lambda done, total: None,
        check: Callable[[Sequence[str | None]], None] = lambda sha256: None,
    ) -> Gathered:
        """Reads all photographs and embeds those that are new.

        Args:
            paths: the photographs.
            progress: called with photographs done and in all.
            check: called with the digest of each photograph, None where there is none, before
                the first is embedded; what it raises ends the work while that is cheap.
        """
        templates = np.full((len(paths), self.identity.embedding_size), np.nan, np.float32)
        digests: list[str | None] = []
        failures: list[Failure] = []
        reused = 0
        all_keys = [file_sha256(path, DEFAULT_LIMITS.max_bytes) for path in paths]
        check(all_keys)
        for start in range(0, len(paths), PHOTOGRAPHS_PER_BLOCK):
            block = paths[start : start + PHOTOGRAPHS_PER_BLOCK]
            keys = all_keys[start : start + PHOTOGRAPHS_PER_BLOCK]
            known = {} if self._cache is None else self._cache.read([k for k in keys if k])
            found = [known.get(key or "") for key in keys]
            wanted = [(p, k) for p, k, item in zip(block, keys, found, strict=True) if item is None]
            fresh = iter(self._made(wanted, partial(_progress_after, progress, start, len(paths))))
            reused += sum(item is not None for item in found)
            for row, (path, key, item) in enumerate(zip(block, keys, found, strict=True), start):
                digest, acquired = (key, item) if item is not None else next(fresh)
                digests.append(digest)
                if acquired.failure is None:
                    templates[row] = acquired.templates[0]
                else:
                    reason = acquired.failure.replace(_PATH, str(path))
                    failures.append(Failure(str(path), reason))
            progress(start + len(block), len(paths))
        return Gathered(templates, tuple(digests), tuple(failures), reused)

    def crops(self, paths: Sequence[Path]) -> list[UInt8Array | None]:
        """The faces that stand for photographs, to be looked at.

        Opens the networks: the cache keeps templates, not pictures.

        Args:
            paths: the photographs.

        Returns:
            For each the uint8 (112, 112, 3) aligned crop; None where there is no face to show.
        """
        if not paths:
            return []
        analyzer = self._opened()
        with closing(analyzer.outcomes(paths)) as outcomes:
            return [  # failures were counted where the template was made
                None if isinstance(outcome, InputError) else outcome.faces[0].aligned_rgb
                for _, outcome in outcomes
            ]

    def _opened(self) -> Analyzer:
        if self._analyzer is None:
            self._analyzer = self._open_analyzer()
        return self._analyzer

    def _made(
        self, wanted: Sequence[tuple[Path, str | None]], progress: Callable[[int], None]
    ) -> list[tuple[str | None, Acquired]]:
        """Digest and outcome of photographs that the cache lacks; stores what will last."""
        if not wanted:
            return []
        analyzer = self._opened()
        outcomes: list[AnalyzedPhotograph | InputError] = []
        with closing(analyzer.outcomes(path for path, _ in wanted)) as looked_at:
            for done, (_, outcome) in enumerate(looked_at, start=1):
                outcomes.append(outcome)
                progress(done)
        analyzed = [p for p in outcomes if isinstance(p, AnalyzedPhotograph)]
        templates = iter(analyzer.embed([photograph.faces[0] for photograph in analyzed]))
        made: list[tuple[str | None, Acquired]] = []
        lasting: dict[str, Acquired] = {}
        for (path, key), outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, AnalyzedPhotograph):
                item = Acquired(next(templates)[None])
                lasting[outcome.sha256] = item
                made.append((outcome.sha256, item))
                continue
            item = Acquired(
                np.zeros((0, self.identity.embedding_size), np.float32),
                str(outcome).replace(str(path), _PATH),
            )
            # Only what follows from the bytes, and from those that were hashed.
            if (
                key is not None
                and isinstance(outcome, _OF_THE_BYTES)
                and file_sha256(path, DEFAULT_LIMITS.max_bytes) == key
            ):
                lasting[key] = item
            made.append((key, item))
        if self._cache is not None and lasting:
            self._cache.write(lasting)
        return made


def _progress_after(
    progress: Callable[[int, int], None], before: int, total: int, done: int
) -> None:
    progress(before + done, total)
