"""Phase 3: the trained network becomes the bundled model.

    python scripts/train-default/export.py CHECKPOINT FOLDER

FOLDER is ``facematch/embedding/models/compact-2``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facematch.embedding.bundle import Preprocessing
from facematch.embedding.export import export_bundle
from facematch.embedding.networks import NETWORKS
from facematch.training.checkpoint import read_checkpoint
from facematch.types import ARCFACE_112

ABOUT = {
    "description": "The default: fused bottlenecks at low resolution, 256 numbers a face.",
    "training_data": [
        "CelebA, official training partition only: 24,844 aligned crops of 5,552 identities",
        "UTKFace: 23,224 aligned crops without identities",
    ],
    "teacher": "face-reidentification-retail-0095 (Intel Open Model Zoo, Apache-2.0); what it "
    "was trained on is not published",
    "recipe": "scripts/train-default: distillation of the teacher's maps and embedding, for the "
    "very crops the network sees, then quadruplet loss (Chen et al., CVPR 2017) beside it",
    "terms": "CelebA and UTKFace are for non-commercial research, so is this network. Train "
    "one on your own data for anything else.",
    "licence": "Weights: non-commercial research only, as their training data. Code: Apache-2.0.",
    "limits": [
        "Error rates differ between groups of people: see error_rates_by_group, which knows "
        "false matches only. Calibrate on people like yours.",
        "CelebA and LFW may share people (CelebA gives no names), so figures on LFW may flatter.",
        "Not for deciding about people without a human look; no presentation attack detection.",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    state = read_checkpoint(options.checkpoint)
    network = NETWORKS["compact-2"].build()
    network.load_state_dict({**state["network"], **state["average"]})
    parameters = sum(p.numel() for p in network.parameters())
    bundle = export_bundle(
        network,
        options.folder,
        name=options.folder.name,
        architecture="compact-2",
        embedding_size=256,
        preprocessing=Preprocessing(mean=127.5, scale=1 / 127.5, mirror=False),
        alignment=ARCFACE_112,
        about={**ABOUT, "parameters": parameters},
    )
    print(f"{options.folder}: {parameters} parameters, fingerprint {bundle.identity.fingerprint}")


if __name__ == "__main__":
    main()
