"""Write the templates of photographs to a file, for use outside facematch or for import."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.errors import NoFaceError
from facematch.gallery import write_templates
from facematch.pipeline import Analyzer, Failure
from facematch.types import Float32Array, Reference


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What was written."""

    path: str
    templates: int
    photographs: int
    model_name: str
    model_fingerprint: str
    failed: tuple[Failure, ...]


def embed(
    paths: Sequence[Path],
    analyzer: Analyzer,
    output: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EmbedResult:
    """Embeds every chosen face of every photograph and writes one HDF5 file.

    Raises:
        NoFaceError: no photograph gave a template; nothing is written.
        OutputError: the file cannot be written.
    """
    references: list[Reference] = []
    templates: list[Float32Array] = []
    failed: list[Failure] = []
    with closing(analyzer.stream(paths)) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, Failure):
                failed.append(outcome)
            else:
                photograph, rows = outcome
                templates.append(rows)
                references += [
                    Reference(
                        subject="",
                        source_path=photograph.path,
                        source_sha256=photograph.sha256,
                        box_xyxy=face.face.box_xyxy,
                        quality=face.quality,
                        enrolled_at=time.time(),
                    )
                    for face in photograph.faces
                ]
            progress(done, len(paths))
    if not references:
        why = f"; the first failure: {failed[0].reason}" if failed else ""
        raise NoFaceError(f"no photograph gave a template{why}")
    write_templates(output, analyzer.identity, references, np.concatenate(templates))
    return EmbedResult(
        str(output),
        len(references),
        len(paths) - len(failed),
        analyzer.identity.name,
        analyzer.identity.fingerprint,
        tuple(failed),
    )
