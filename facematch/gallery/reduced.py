"""Search over templates of one byte a value, with the answers of the exact search.

A search for one face reads every template once and computes little, so that it takes as long as
memory takes to deliver n x d x 4 bytes. :class:`ReducedTemplates` holds the templates once more,
in memory, as 8-bit integers with one scale per template, a quarter of that. Its products are off
by no more than a known bound: with ``b`` a template and ``w`` what stands for it, Cauchy and
Schwarz give ``|a.b - a.w| <= |a| |b - w|``, and ``|b - w|`` is measured when ``w`` is made. Rows
that could be in the answer by that bound are compared exactly, all others cannot be.

Making it costs about as much as a hundred searches save, so it is for programs that stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.cores import usable_cores
from facematch.gallery.search import Int32Array, SearchResult, UnsoundTemplateError, search
from facematch.runtime.openvino_import import shared_core  # and so without its telemetry
from facematch.types import Float32Array, Int64Array, Metric

_RANKED_BY_PRODUCT = (Metric.COSINE, Metric.EUCLIDEAN, Metric.SQUARED_EUCLIDEAN)

# Rows of one network. It takes some copies of them to make, and a tenth of a millisecond to start.
_CHUNK_ROWS = 1 << 18
_QUANTIZED_AT_ONCE = 1 << 11

# Rows whose best product is looked at first.
_SEGMENT = 64

# From here on the products of many probes at a time pay more than reading less memory.
_MOST_PROBES = 8

_LARGEST = 127
_NORM_TOLERANCE = 1e-3

# For float32 summation, for norms that are 1 up to rounding only, and for ties of distances that
# are rounded to 2^-24; the measured |b - w| is enlarged by what rounding may have taken from it.
_ROUNDING = 2e-5
_RESIDUAL_ROUNDING = 1.001

# More candidates than this share of all are not worth picking out.
_WORTH_PICKING = 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """A compiled product with some consecutive rows.

    ``slack`` bounds its error; ``sound`` is whether a first product kept to that.
    """

    request: Any
    slack: float
    sound: bool


class ReducedTemplates:
    """Templates of one byte a value, beside the exact ones. One search at a time.

    Args:
        templates: float32 (n, d), unit norm; stays in use, may be a memory map.
        subject_index: int32 (n,), rows of one number belong to one subject.
        chunk_rows: rows of one compiled product; a multiple of 64.

    Attributes:
        usable: whether this processor's products are what the bound is for. If not, which no
            processor is known for, each search is the exact one.

    Raises:
        UnsoundTemplateError: a stored template is not finite or not of unit norm.
    """

    def __init__(
        self,
        templates: Float32Array,
        subject_index: Int32Array,
        *,
        chunk_rows: int = _CHUNK_ROWS,
    ) -> None:
        if chunk_rows < 1 or chunk_rows % _SEGMENT != 0:
            raise ValueError(f"chunks of {chunk_rows} rows, not of a multiple of {_SEGMENT}")
        n, d = templates.shape
        self._templates = templates
        self._subject_index = subject_index
        self._scores = np.empty(n, np.float32)
        self._probe = np.zeros((1, d), np.float32)
        self._rounding = max(_ROUNDING, d * float(np.finfo(np.float32).eps))
        self._chunks = [
            self._compiled(slice(start, min(start + chunk_rows, n)))
            for start in range(0, n, chunk_rows)
        ]
        slacks = np.array([chunk.slack for chunk in self._chunks], np.float32)
        segments = -(-n // _SEGMENT)
        self._slack = slacks[np.arange(segments) // (chunk_rows // _SEGMENT)]
        self.usable = all(chunk.sound for chunk in self._chunks)

    def search(self, probes: Float32Array, *, top: int, metric: Metric) -> SearchResult:
        """What :func:`facematch.gallery.search` answers, bit for bit.

        Distances that do not rank by ``a.b``, and many probes at once, go that way altogether.

        Args:
            probes: float32 (p, d), unit norm.
            top: at least 1; more than there are subjects gives all of them.
            metric: which distance.

        Raises:
            ValueError: shapes do not fit, or a probe is not finite or not of unit norm.
        """
        n = len(self._templates)
        by_product = self.usable and n > 0 and metric in _RANKED_BY_PRODUCT
        if not by_product or not 0 < len(probes) <= _MOST_PROBES:
            return self._exact(slice(None), probes, top, metric)
        self._exact(slice(0), probes, top, metric)  # says what is wrong with a probe
        found = [self._one(probes[i : i + 1], top, metric) for i in range(len(probes))]
        return SearchResult(
            np.concatenate([result.subjects for result in found]),
            np.concatenate([result.rows for result in found]),
            np.concatenate([result.distances for result in found]),
            n * len(probes),
        )

    def _one(self, probe: Float32Array, top: int, metric: Metric) -> SearchResult:
        self._probe[:] = probe
        for chunk in self._chunks:
            chunk.request.infer()
        rows = self._candidates(top)
        if len(rows) > _WORTH_PICKING * len(self._templates):
            return self._exact(slice(None), probe, top, metric)
        # Candidates rise, so that ties go by row as they do among all.
        found = self._exact(rows, probe, top, metric)
        return SearchResult(
            found.subjects, rows[found.rows], found.distances, found.references_compared
        )

    def _exact(
        self, rows: slice | Int64Array, probes: Float32Array, top: int, metric: Metric
    ) -> SearchResult:
        return search(
            self._templates[rows], self._subject_index[rows], probes, top=top, metric=metric
        )

    def _candidates(self, top: int) -> Int64Array:
        """All rows that may be in the answer, rising."""
        whole = len(self._scores) // _SEGMENT * _SEGMENT
        best = self._scores[:whole].reshape(-1, _SEGMENT).max(axis=1)
        if whole < len(self._scores):
            best = np.append(best, self._scores[whole:].max())
        bound = self._bound(best, top)
        rows = self._rows_of(np.flatnonzero(best + self._slack >= bound))
        slack = self._slack[rows // _SEGMENT]
        kept: Int64Array = rows[self._scores[rows] + slack >= bound]
        return kept

    def _bound(self, best: Float32Array, top: int) -> float:
        """What the products of the ``top`` nearest subjects reach at least.

        It is taken from the most promising segments. Any rows would give a bound that holds.
        """
        looked_at = 4 * top
        while True:
            looked_at = min(looked_at, len(best))
            order = np.argpartition(-best, looked_at - 1)[:looked_at]
            rows = self._rows_of(np.sort(order))
            least = self._scores[rows] - self._slack[rows // _SEGMENT]
            order = np.argsort(-least)
            _, first = np.unique(self._subject_index[rows[order]], return_index=True)
            if len(first) >= top:
                return float(least[order[np.sort(first)[top - 1]]])
            if looked_at == len(best):
                return -np.inf
            looked_at *= 4

    def _rows_of(self, segments: npt.NDArray[np.intp]) -> Int64Array:
        rows: Int64Array = (segments[:, None] * _SEGMENT + np.arange(_SEGMENT)).reshape(-1)
        return rows[rows < len(self._scores)]

    def _compiled(self, rows: slice) -> _Chunk:
        import openvino as ov
        from openvino import opset13 as ops

        quantized, scales, residual = _quantized(self._templates, rows)
        slack = residual * _RESIDUAL_ROUNDING + self._rounding
        probe = ops.parameter(self._probe.shape, ov.Type.f32)
        # The form in which OpenVINO keeps weights as bytes and widens them in registers.
        weights = ops.multiply(ops.convert(ops.constant(quantized), "f32"), ops.constant(scales))
        products = ops.matmul(probe, weights, False, True)
        compiled = shared_core().compile_model(
            ov.Model([products], [probe]),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": usable_cores(),
                "PERFORMANCE_HINT": "LATENCY",
                # No bfloat16 and no probe of 8 bits: the bound is for float32.
                "INFERENCE_PRECISION_HINT": "f32",
                "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            },
        )
        request = compiled.create_infer_request()
        request.set_input_tensor(ov.Tensor(self._probe, shared_memory=True))
        request.set_output_tensor(ov.Tensor(self._scores[None, rows], shared_memory=True))
        some = self._templates[rows][:_SEGMENT]
        self._probe[:] = some[:1]
        request.infer()
        off = np.abs(self._scores[rows][: len(some)] - some @ some[0]).max()
        return _Chunk(request, slack, bool(off <= slack))


def _quantized(
    templates: Float32Array, rows: slice
) -> tuple[npt.NDArray[np.int8], Float32Array, float]:
    """int8 (m, d), float32 (m, 1) scales, and the largest norm of what is lost."""
    m, d = rows.stop - rows.start, templates.shape[1]
    quantized, scales = np.empty((m, d), np.int8), np.empty((m, 1), np.float32)
    worst = 0.0
    for start in range(0, m, _QUANTIZED_AT_ONCE):
        part = slice(start, min(start + _QUANTIZED_AT_ONCE, m))
        block = templates[rows.start + part.start : rows.start + part.stop]
        _require_unit_norm(block, rows.start + part.start)
        scales[part] = np.abs(block).max(axis=1, keepdims=True) / _LARGEST
        rounded = np.rint(block / scales[part])
        quantized[part] = rounded
        rounded *= scales[part]
        rounded -= block
        worst = max(worst, float(np.vecdot(rounded, rounded).max()) ** 0.5)
    return quantized, scales, worst


def _require_unit_norm(block: Float32Array, first: int) -> None:
    # Damaged templates overflow; the error says so better than a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(np.vecdot(block, block) - 1)
    wrong = np.flatnonzero(~(off <= 2 * _NORM_TOLERANCE))
    if len(wrong) > 0:
        finite = bool(np.isfinite(block[wrong[0]]).all())
        problem = "not of unit norm" if finite else "not finite"
        raise UnsoundTemplateError(first + int(wrong[0]), problem)
