"""Crops to templates."""

from __future__ import annotations

import numpy as np

from facematch.embedding.bundle import ModelBundle
from facematch.errors import ModelFormatError
from facematch.runtime import Engine
from facematch.types import Alignment, Float32Array, ModelIdentity, UInt8Array

BATCH = 32


class Embedder:
    """A model bundle on an engine.

    Args:
        bundle: the model.
        engine: runs it.
    """

    def __init__(self, bundle: ModelBundle, engine: Engine) -> None:
        self._bundle = bundle
        self._network = engine.load(bundle.source())

    @property
    def identity(self) -> ModelIdentity:
        return self._bundle.identity

    @property
    def alignment(self) -> Alignment:
        """How faces must be cut for :meth:`embed`."""
        return self._bundle.alignment

    def embed(self, crops_rgb: UInt8Array) -> Float32Array:
        """Computes templates.

        Args:
            crops_rgb: uint8 (n, s, s, 3) with s the model's crop size.

        Returns:
            float32 (n, d), of unit norm.

        Raises:
            ModelFormatError: the network gave something that is not a template.
        """
        size = self.alignment.size
        if crops_rgb.ndim != 4 or crops_rgb.shape[1:] != (size, size, 3):
            raise ValueError(f"crops must be (n, {size}, {size}, 3), got {crops_rgb.shape}")
        templates = np.empty((len(crops_rgb), self.identity.embedding_size), np.float32)
        for start in range(0, len(crops_rgb), BATCH):
            batch = crops_rgb[start : start + BATCH]
            templates[start : start + len(batch)] = self._embed_batch(batch)
        return templates

    def _embed_batch(self, crops_rgb: UInt8Array) -> Float32Array:
        unit = self._unit(crops_rgb)
        if self._bundle.preprocessing.mirror:
            unit = unit + self._unit(crops_rgb[:, :, ::-1])
            unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        return unit

    def _unit(self, crops_rgb: UInt8Array) -> Float32Array:
        (raw,) = self._network(crops_rgb)
        shape = (len(crops_rgb), self.identity.embedding_size)
        if raw.shape != shape:
            raise ModelFormatError(
                f"model {self.identity.name}: the network gave {raw.shape}; its card says {shape}"
            )
        norm = np.linalg.norm(raw, axis=1, keepdims=True)
        if not np.all((norm > 0) & np.isfinite(norm)):
            raise ModelFormatError(
                f"model {self.identity.name}: the network gave a vector without a direction "
                "(zero, infinite or NaN); facematch models verify checks the model"
            )
        return np.asarray(raw / norm, np.float32)
