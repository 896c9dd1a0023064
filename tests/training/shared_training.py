"""A run of milliseconds that any number of processes can share, with the same numbers.

Run under torchrun with a folder as its argument, it puts there what the tests compare:
``test_training_parallel`` does so, once for all of them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from tiny_training import COUNT, IMAGES
from torch import Tensor, nn
from torch.nn import functional

from facematch.choices import Augmenting, Parallel
from facematch.training.augmentation import PRESETS
from facematch.training.callbacks import KeepBest
from facematch.training.choices import LossName
from facematch.training.config import TrainingConfig
from facematch.training.data import CropSet
from facematch.training.loading import Batch, BatchLoader
from facematch.training.losses.wide_head import WideHead
from facematch.training.parallel import launched, prepare
from facematch.training.ranks import OneRank, Ranks
from facematch.training.recipe import Recipe
from facematch.training.sampling import BatchSampler, Sharded, ShuffledBatches
from facematch.training.setting import build_setting
from facematch.training.sharding import local, whole
from facematch.training.trainer import Trainer

BATCH, EMBEDDING, IDENTITIES, HALF = 8, 7, 5, 2
LABELS = torch.arange(COUNT) % IDENTITIES
CONFIG = TrainingConfig(
    steps=4,
    sizes=((0, 14),),
    learning_rate=1e-3,
    warmup_steps=1,
    gradient_clip=0.5,  # less than the norms are, so that it matters
    ema_decay=0.9,
    checkpoint_every_s=0.0,
    bfloat16=False,
)

# Name of a case: what is shared, in groups of how many ranks, and whether the head is split.
CASES: dict[str, tuple[Parallel, int | None, bool]] = {
    "data": (Parallel.DATA, None, False),
    "data, head split": (Parallel.DATA, None, True),
    "fsdp": (Parallel.FSDP, None, False),
    "mixed 1x2, head split": (Parallel.MIXED, 2, True),
    "mixed 2x1": (Parallel.MIXED, 1, False),
}
# A run of each costs seconds; these cover shards and whole tensors, and both side by side.
TRAINED = ("data, head split", "fsdp", "mixed 1x2, head split")
# What ``--split-head`` is for; name of a case: the loss, and whether its head is split.
CLASSIFIED: dict[str, tuple[LossName, bool]] = {
    "softmax, whole": (LossName.SOFTMAX, False),
    "softmax, split": (LossName.SOFTMAX, True),
    "arcface, split": (LossName.ARCFACE, True),
}


class SmoothNetwork(nn.Module):
    """Odd sizes, which do not divide by two ranks; nothing that depends on the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.Tanh())
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(5, 4, 3, 2, 1), nn.Tanh())])
        self.head = nn.Linear(4 * 4 * 4, EMBEDDING)  # by place, or crops of noise look alike

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        embedding: Tensor = self.head(x.flatten(1))
        return embedding


def smooth_network(seed: int = 0) -> SmoothNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SmoothNetwork()


def cosine_margin(cosines: Tensor, labels: Tensor) -> Tensor:
    return cosines - 0.35 * functional.one_hot(labels, cosines.shape[1])


def wide_head(seed: int = 0) -> WideHead:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = WideHead(IDENTITIES, EMBEDDING, scale=8.0, margin=cosine_margin)
        nn.init.normal_(head.weight)  # the gradient of short rows would hide all others
        return head


def hardest_triplets(embeddings: Tensor, labels: Tensor) -> Tensor:
    """A loss that compares every row with all others."""
    distances = 2 - 2 * functional.cosine_similarity(embeddings[:, None], embeddings[None], dim=2)
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, 0.0).amax(1)
    negative = distances.masked_fill(same, 9.0).amin(1)
    return functional.softplus(positive - negative).mean()


class SharedObjective(nn.Module):
    """Pooled triplets, a head on pooled embeddings, and a loss on each rank's own crops."""

    def __init__(self, ranks: Ranks, head: WideHead) -> None:
        super().__init__()
        self.head = head
        self.scale = nn.Parameter(torch.tensor(1.5))  # whole everywhere, beside a split head
        self._ranks = ranks

    def forward(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, float]]:
        embeddings = network(batch.pixels)
        labels = self._ranks.pooled(LABELS[torch.from_numpy(batch.indices)])
        pooled = self._ranks.pooled(embeddings)
        loss = hardest_triplets(pooled, labels) * self.scale + self.head.loss(pooled, labels)
        return loss + functional.mse_loss(embeddings, batch.pixels[:, 0, 0, :EMBEDDING]), {}


def mean_of_first(network: nn.Module, size: int) -> Mapping[str, float]:
    pixels = torch.ones(1, 3, size, size)
    return {"val": -float(network(pixels).mean())}


def shared_trainer(run_dir: Path, ranks: Ranks | None = None, case: str = "data") -> Trainer:
    """The trainer of one of several ranks, or of a process by itself."""
    ranks = OneRank() if ranks is None else ranks
    mode, group, split = CASES[case]
    # Ranks that start differently go on with what the first one has.
    network, head = smooth_network(ranks.index), wide_head(ranks.index)
    forward = prepare(network, mode, ranks, group=group)
    if ranks.count > 1 and split:
        head.split(ranks.mesh)  # type: ignore[attr-defined]
    sampler: BatchSampler = ShuffledBatches(COUNT, BATCH, CONFIG.seed)
    if ranks.count > 1:
        sampler = Sharded(sampler, ranks.index, ranks.count)  # type: ignore[arg-type]
    return Trainer(
        network,
        BatchLoader(IMAGES, sampler, PRESETS["none"], CONFIG),
        SharedObjective(ranks, head),
        CONFIG,
        run_dir,
        mean_of_first,
        callbacks=[KeepBest("val")],
        forward=forward,
        ranks=ranks,
    )


def classifying_trainer(run_dir: Path, ranks: Ranks | None = None, case: str = "") -> Trainer:
    """The trainer of a recipe with a head, as ``facematch train`` builds it."""
    ranks = OneRank() if ranks is None else ranks
    loss, split = CLASSIFIED[case]
    recipe = Recipe(
        data=("made",),
        loss=loss,
        split_head=split and ranks.count > 1,
        identities=4,
        crops=2,
        augmentation=Augmenting.NONE,
        steps=CONFIG.steps,
        warmup_steps=1,
        gradient_clip=0.5,
        ema_decay=0.9,
        checkpoint_minutes=1e-9,
        bfloat16=False,
    )
    crops = CropSet(
        images=IMAGES,
        labels=LABELS.numpy(),
        sources=np.zeros(COUNT, np.int64),
        names=tuple(map(str, range(COUNT))),
        identity_names=tuple(f"made:{i}" for i in range(IDENTITIES)),
        source_names=("made",),
        unreadable=(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(ranks.index)  # the head, too, is the first rank's everywhere
        setting = build_setting(recipe, crops, smooth_network(), 14, EMBEDDING, ranks=ranks)
    forward = prepare(setting.network, recipe.parallel, ranks)
    return setting.trainer(CONFIG.steps, run_dir, forward=forward)


def pixels() -> Tensor:
    return torch.randn(BATCH, 3, 14, 14, generator=torch.Generator().manual_seed(1))


def loss_and_gradients(
    ranks: Ranks, case: str, own: slice, rows: int = BATCH
) -> tuple[Tensor, dict[str, Tensor]]:
    """Of triplets and head on the pooled embeddings of this rank's own rows."""
    mode, group, split = CASES[case]
    network, head = smooth_network(ranks.index), wide_head()
    forward = prepare(network, mode, ranks, group=group)
    if ranks.count > 1 and split:
        head.split(ranks.mesh)  # type: ignore[attr-defined]
    embeddings = ranks.pooled(forward(pixels()[:rows][own]))
    # Of identities in one part of the head only: the other rank sees to no margin.
    labels = ranks.pooled(LABELS[:rows][own] % 3)
    loss = hardest_triplets(embeddings, labels) + head.loss(embeddings, labels)
    torch.autograd.backward(loss)
    named = {**dict(network.named_parameters()), **dict(head.named_parameters(prefix="wide"))}
    return loss.detach(), whole({name: p.grad for name, p in named.items()})


def share(folder: Path) -> None:
    """What each rank does under torchrun."""
    with launched() as ranks:
        found: dict[str, object] = {"count": ranks.count}
        first = ranks.index == 0
        found["agreed"] = ranks.agreed(first, not first, True)
        for case in CASES:
            half = BATCH // 2
            own = slice(0, half) if first else slice(half, BATCH)
            found[case] = loss_and_gradients(ranks, case, own)
        uneven = slice(0, 2) if first else slice(2, BATCH - 1)
        found["uneven"] = loss_and_gradients(ranks, "data", uneven, BATCH - 1)
        for case in TRAINED:
            shared_trainer(folder / case / "straight", ranks, case).run()
            shared_trainer(folder / case / "in parts", ranks, case).run(HALF)
            if first:
                shutil.copytree(folder / case / "in parts", folder / case / "half")
                shutil.copytree(folder / "alone", folder / case / "from one")
            ranks.agreed()  # not before the first rank has copied
            shared_trainer(folder / case / "in parts", ranks, case).run()
            shared_trainer(folder / case / "from one", ranks, case).run()
        for case in CLASSIFIED:
            trainer = classifying_trainer(folder / case / "straight", ranks, case)
            found[f"{case}: parameters"] = sum(
                local(p).numel()
                for p in trainer._objective.parameters()  # type: ignore[attr-defined]
            )
            trainer.run()
            classifying_trainer(folder / case / "in parts", ranks, case).run(HALF)
            classifying_trainer(folder / case / "in parts", ranks, case).run()
        torch.save(found, folder / f"found-{ranks.index}.pt")


if __name__ == "__main__":
    np.seterr(all="raise")
    share(Path(sys.argv[1]))
