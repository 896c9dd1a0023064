"""What a trained network is measured by."""

from __future__ import annotations

import numpy as np
from crops import Crops, Labelled, Pairs
from torch import nn

from facematch.metrics import (
    Criterion,
    ThresholdRule,
    VerificationCurve,
    auc,
    counts_at,
    cumulative_match,
    distance,
    mean_average_precision,
    rank_probes,
    tar_at_fmr,
    threshold_for,
    verification_curve,
)
from facematch.training.validation import embed_crops
from facematch.types import Float32Array, Metric


def chosen_by(network: nn.Module, crops: Crops, size: int) -> float:
    """AUC on pairsDevTrain, which learning rates are chosen by."""
    used = np.unique(np.concatenate([crops.dev_train.first, crops.dev_train.second]))
    found = embed_crops(network, np.asarray(crops.lfw[used]), size)
    embeddings = np.zeros((len(crops.lfw), found.shape[1]), np.float32)
    embeddings[used] = found
    return auc(_curve(embeddings, crops.dev_train))


def measured(network: nn.Module, crops: Crops, size: int, enrolled: int) -> dict[str, float]:
    """All figures of a network in evaluation mode, by their names in the JSON lines.

    Args:
        network: maps crops of ``size`` to embeddings.
        crops: to measure on.
        size: side of its input.
        enrolled: first crops of each person of the hold-out that are its references; the
            others are the probes.
    """
    lfw = embed_crops(network, crops.lfw, size)
    chosen, reported = _curve(lfw, crops.dev_train), _curve(lfw, crops.dev_test)
    threshold = threshold_for(chosen, ThresholdRule(Criterion.ACCURACY))
    held_out = embed_crops(network, crops.held_out.images, size)
    return {
        "dev_train_auc": auc(chosen),
        "lfw_accuracy": counts_at(reported, threshold).accuracy,
        "lfw_auc": auc(reported),
        "lfw_tar_1e-2": tar_at_fmr(reported, 1e-2),
        "lfw_tar_1e-3": tar_at_fmr(reported, 1e-3),
        **_of_held_out(held_out, crops.held_out, enrolled),
    }


def _curve(embeddings: Float32Array, pairs: Pairs) -> VerificationCurve:
    distances = distance(embeddings[pairs.first], embeddings[pairs.second], Metric.COSINE)
    return verification_curve(distances[pairs.same], distances[~pairs.same])


def _of_held_out(embeddings: Float32Array, crops: Labelled, enrolled: int) -> dict[str, float]:
    labels = crops.labels
    first, second = np.triu_indices(len(labels), 1)
    pairs = Pairs(first, second, labels[first] == labels[second], 0)
    curve = _curve(embeddings, pairs)
    place = np.array([int((labels[:row] == label).sum()) for row, label in enumerate(labels)])
    gallery = place < enrolled
    ranks = rank_probes(
        embeddings[gallery], labels[gallery], embeddings[~gallery], labels[~gallery], Metric.COSINE
    )
    return {
        "holdout_rank_1": float(cumulative_match(ranks)[0]),
        "holdout_map": mean_average_precision(ranks),
        "holdout_tar_1e-2": tar_at_fmr(curve, 1e-2),
        "holdout_tar_1e-3": tar_at_fmr(curve, 1e-3),
    }
