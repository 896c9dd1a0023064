"""Phase 4: the bundle's own calibration, and the figures that its card states.

    python scripts/train-default/measure.py DATA BUNDLE CACHE [--only groups]

Writes BUNDLE/calibration.json (FMR at most 0.1 % on LFW View 1 ``pairsDevTrain``) and the
card's ``results``: accuracy on ``pairsDevTest`` at the most accurate threshold of
``pairsDevTrain``, and verification of all pairs of the held-out crops. Then the card's
``error_rates_by_group`` (groups.py) at the threshold of BUNDLE/calibration.json; ``--only groups``
does that alone. None of it is part of the fingerprint.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from groups import read_sample, sampled, table

from facematch.calibration import load_calibration, load_pairs, save_calibration
from facematch.embedding import Embedder, ModelBundle
from facematch.embedding.bundle import CARD
from facematch.embedding.group_errors import ERROR_RATES_BY_GROUP
from facematch.metrics import (
    Criterion,
    ThresholdRule,
    auc,
    counts_at,
    tar_at_fmr,
    verification_curve,
)
from facematch.pipeline import TemplateSource, open_templates
from facematch.runtime import open_engine
from facematch.training.data import open_crops
from facematch.workflows.calibrate import calibrate

ACCURACY = ThresholdRule(Criterion.ACCURACY)
SHIPPED = ThresholdRule(Criterion.FMR, 0.001)
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--only", choices=["groups"], help="leave all other figures as they are")
    options = parser.parse_args()
    templates, bundle = open_templates(str(options.bundle.resolve()))
    card = dict(bundle.card)
    if options.only is None:
        card["results"] = _results(options.data, options.cache, templates, bundle)
        print(json.dumps(card["results"], indent=2))
    threshold = load_calibration(bundle.calibration_path).threshold
    card[ERROR_RATES_BY_GROUP] = _by_group(
        options.data / "train" / "utkface.zip", bundle, threshold
    )
    for line in card[ERROR_RATES_BY_GROUP]["groups"]:
        print(json.dumps(line))
    (bundle.path / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _results(
    data: Path, cache: Path, templates: TemplateSource, bundle: ModelBundle
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder)
        with zipfile.ZipFile(data / "lfw-view1" / "images.zip") as archive:
            archive.extractall(images)
        lists = data / "lfw-view1"
        train = load_pairs(lists / "pairsDevTrain.txt", images)
        shipped = calibrate(train, templates, SHIPPED)
        most_accurate = calibrate(train, templates, ACCURACY)
        test = calibrate(load_pairs(lists / "pairsDevTest.txt", images), templates, ACCURACY)
    save_calibration(shipped.calibration, bundle.calibration_path)

    counts = counts_at(test.curve, most_accurate.calibration.threshold)
    return {
        "lfw_view1_test": {
            "protocol": "pairsDevTest, threshold of best accuracy on pairsDevTrain, "
            "facematch's own detection, --face center",
            "accuracy": round(counts.accuracy, 4),
            "threshold": round(most_accurate.calibration.threshold, 4),
            "tar_at_fmr_0.001": round(tar_at_fmr(test.curve, 0.001), 4),
            "auc": round(auc(test.curve), 5),
            "n_genuine": test.curve.n_genuine,
            "n_impostor": test.curve.n_impostor,
            "failures_to_acquire": test.calibration.failures_to_acquire,
        },
        "holdout_celeba": _held_out(data / "holdout" / "celeba.zip", cache, bundle),
    }


def _by_group(archive: Path, bundle: ModelBundle, threshold: float) -> dict[str, object]:
    embedder = Embedder(bundle, open_engine())
    with zipfile.ZipFile(archive) as crops:
        sample = sampled(crops.namelist(), SEED)
        found = {
            group: embedder.embed(read_sample(crops, names)) for group, names in sample.items()
        }
    return table(found, threshold, SEED)


def _held_out(archive: Path, cache: Path, bundle: ModelBundle) -> dict[str, object]:
    crops = open_crops([archive], cache)
    templates = Embedder(bundle, open_engine()).embed(
        np.ascontiguousarray(crops.images[:, 8:-8, 8:-8])
    )
    first, second = np.triu_indices(len(crops), 1)
    distances = 1 - (templates @ templates.T)[first, second]
    same = crops.labels[first] == crops.labels[second]
    curve = verification_curve(distances[same], distances[~same])
    return {
        "protocol": "all pairs of the held-out crops (45 identities)",
        "auc": round(auc(curve), 5),
        "tar_at_fmr_0.01": round(tar_at_fmr(curve, 0.01), 4),
        "tar_at_fmr_0.001": round(tar_at_fmr(curve, 0.001), 4),
        "n_genuine": curve.n_genuine,
        "n_impostor": curve.n_impostor,
    }


if __name__ == "__main__":
    main()
