"""The runs of the ablation, all by the library's own trainer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from crops import Crops
from setting import Method, Setting
from torch import Tensor, nn
from torch.nn import functional

from facematch.embedding import find_model
from facematch.embedding.networks.compact import CompactNet
from facematch.training.augmentation import PRESETS
from facematch.training.config import TrainingConfig
from facematch.training.loading import Batch, BatchLoader
from facematch.training.losses.distillation import DistillationLoss, teacher_similarity
from facematch.training.losses.feature_maps import FeatureMapLoss, on_grid
from facematch.training.metric_learning import MetricLearning
from facematch.training.objective import TrainingObjective
from facematch.training.sampling import IdentityBatches, ShuffledBatches
from facematch.training.trainer import Trainer

FORCED = 0.2  # of the start's schedule, with the teacher's maps forced


def config_of(steps: int, rate: float, seed: int, size: int) -> TrainingConfig:
    """The loop's part of a run."""
    return TrainingConfig(
        steps=steps,
        sizes=((0, size),),
        learning_rate=rate,
        warmup_steps=steps // 10,
        seed=seed,
        checkpoint_every_s=60.0,
        bfloat16=False,
    )


def trained(
    setting: Setting,
    method: Method,
    start: Mapping[str, Tensor] | None,
    crops: Crops,
    run_dir: Path,
    *,
    steps: int,
    rate: float,
    seed: int,
) -> nn.Module:
    """The network that a method makes, with averaged weights, in evaluation mode.

    Args:
        setting: what all share.
        method: what is learned from identities.
        start: state of the network to begin with; None for random weights.
        crops: to learn from.
        run_dir: for the checkpoint.
        steps: updates.
        rate: learning rate at its peak.
        seed: of weights, batches, augmentation and mining.
    """
    torch.manual_seed(seed)
    network = setting.network()
    if start is not None:
        network.load_state_dict(dict(start))
    if method.options is None:
        return network.eval()
    train = crops.train
    config = config_of(steps, rate, seed, setting.size)
    objective = TrainingObjective(
        train.labels,
        setting.batch_size,
        metric=MetricLearning(
            method.options, embedding_size=setting.embedding_size, identities=train.identities
        ),
        seed=seed,
    )
    sampler = IdentityBatches(train.labels, setting.identities, setting.crops, seed)
    loader = BatchLoader(train.images, sampler, PRESETS[setting.augmentation], config)
    trainer = Trainer(network, loader, objective, config, run_dir)
    trainer.run()
    network.load_state_dict(trainer.averaged_state())
    return network.eval()


def distilled(setting: Setting, crops: Crops, run_dir: Path) -> dict[str, Tensor]:
    """The state that all cells of the distilled start begin with.

    As the default network is made: the teacher answers for the crop as augmented, with its
    maps beside its embedding; the student sees the same crop at its own size.
    """
    teacher = find_model(setting.teacher).trainable_network().eval()
    assert isinstance(teacher, CompactNet)  # whose maps have the student's channels
    size = 112
    torch.manual_seed(0)
    network = setting.network()
    with torch.no_grad():
        blank = torch.zeros(1, 3, setting.size, setting.size)
        grids = [m.shape[-2:] for m in network.eval().stage_maps(blank).maps]
    config = config_of(setting.start_steps, setting.start_rate, 0, size)
    distillation, feature_maps = DistillationLoss(), FeatureMapLoss((0.25, 0.5, 1.0, 1.0))

    def objective(student: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        with torch.no_grad():
            maps, wanted = teacher.stage_maps(batch.pixels)
        seen = functional.interpolate(batch.pixels, setting.size, mode="area")
        wanted_maps = tuple(on_grid(m, grid) for m, grid in zip(maps, grids, strict=True))
        forced = wanted_maps if batch.step < FORCED * config.steps else None
        own_maps, embeddings = network.stage_maps(seen, forced)
        weight = 1 - batch.step / config.steps
        loss = distillation(embeddings, wanted) + weight * feature_maps(own_maps, wanted_maps)
        return loss, {"cosine": teacher_similarity(embeddings, wanted).item()}

    sampler = ShuffledBatches(len(crops.every), setting.batch_size, config.seed)
    loader = BatchLoader(crops.every, sampler, PRESETS[setting.augmentation], config)
    trainer = Trainer(network, loader, objective, config, run_dir)
    trainer.run()
    return trainer.averaged_state()
