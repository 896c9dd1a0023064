"""Rates of one-to-many search (ISO/IEC 19795-1, NIST FRTE 1:N)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rank_k_accuracy(subjects: Sequence[str], candidates: Sequence[Sequence[str]], k: int) -> float:
    """Share of probes whose subject is among the first ``k`` candidates (closed set).

    Args:
        subjects: whose face each probe is.
        candidates: for each probe the subjects found, nearest first, each at most once; may
            be shorter than ``k``, or empty.
        k: at least 1.

    Raises:
        ValueError: no probes, unequal lengths, ``k`` below 1, or a subject listed twice.

    >>> rank_k_accuracy(["ann", "bob"], [["ann", "bob"], ["ann", "bob"]], k=1)
    0.5
    """
    if len(subjects) == 0 or len(subjects) != len(candidates):
        raise ValueError(
            f"expected candidates for each of the probes, got {len(candidates)} lists for "
            f"{len(subjects)} probes"
        )
    if k < 1:
        raise ValueError(f"the rank must be at least 1, got {k}")
    hits = 0
    for subject, ranked in zip(subjects, candidates, strict=True):
        if len(set(ranked)) != len(ranked):
            raise ValueError("a subject is listed twice among the candidates of one probe")
        hits += subject in ranked[:k]
    return hits / len(subjects)


def fpir_estimate(fmr: float, gallery_size: int) -> float:
    """Chance that a probe of nobody enrolled matches somebody: ``1 - (1 - FMR)^N``.

    An estimate (Wayman, *Error rate equations for the general biometric system*, IEEE RAM
    1999) that takes the N comparisons of a search as independent.

    Args:
        fmr: of one comparison at the threshold in use, in [0, 1].
        gallery_size: N, the references searched, at least 0.

    Raises:
        ValueError: an argument is out of range.

    >>> round(fpir_estimate(0.001, 1000), 3)
    0.632
    """
    if not 0 <= fmr <= 1 or gallery_size < 0:
        raise ValueError(f"expected FMR in [0, 1] and N >= 0, got {fmr} and {gallery_size}")
    if fmr == 1:
        return 0.0 if gallery_size == 0 else 1.0
    # 1 - (1 - fmr) ** n loses all digits of a small FMR.
    return -math.expm1(gallery_size * math.log1p(-fmr))


def fmr_for_fpir(fpir: float, gallery_size: int) -> float:
    """The FMR of one comparison that keeps a search at an FPIR: ``1 - (1 - FPIR)^(1/N)``.

    Args:
        fpir: in [0, 1].
        gallery_size: N, at least 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 <= fpir <= 1 or gallery_size < 1:
        raise ValueError(f"expected FPIR in [0, 1] and N >= 1, got {fpir} and {gallery_size}")
    return 1.0 if fpir == 1 else -math.expm1(math.log1p(-fpir) / gallery_size)
