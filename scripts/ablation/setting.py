"""What is compared, and what is the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from facematch.embedding.networks.compact import CompactNet
from facematch.training.augmentation import PRESETS
from facematch.training.choices import LossName, Mining
from facematch.training.metric_options import MetricLearningOptions


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table.

    Attributes:
        name: in the JSON lines and on the command line.
        title: in the table.
        options: the library's loss and mining, with its defaults; None for the start as it is.
    """

    name: str
    title: str
    options: MetricLearningOptions | None


METHODS: tuple[Method, ...] = (
    Method(
        "softmax", "softmax classification", MetricLearningOptions(LossName.SOFTMAX, Mining.NONE)
    ),
    Method(
        "contrastive",
        "contrastive, all pairs",
        MetricLearningOptions(LossName.CONTRASTIVE, Mining.ALL),
    ),
    Method(
        "triplet-hard",
        "triplet, batch-hard",
        MetricLearningOptions(LossName.TRIPLET, Mining.BATCH_HARD),
    ),
    Method(
        "quadruplet-random",
        "quadruplet, random",
        MetricLearningOptions(LossName.QUADRUPLET, Mining.RANDOM),
    ),
    Method(
        "quadruplet-hard",
        "quadruplet, batch-hard",
        MetricLearningOptions(LossName.QUADRUPLET, Mining.BATCH_HARD),
    ),
    Method(
        "quadruplet-adaptive",
        "quadruplet, adaptive",
        MetricLearningOptions(LossName.QUADRUPLET, Mining.ADAPTIVE),
    ),
    Method(
        "msml",
        "margin sample mining",
        MetricLearningOptions(LossName.MARGIN_SAMPLE_MINING, Mining.ALL),
    ),
)
NOTHING = Method("nothing", "nothing: the start as it is", None)

SCRATCH, DISTILLED = "scratch", "distilled"
RATES: Mapping[str, tuple[float, ...]] = {SCRATCH: (1e-3, 3e-3), DISTILLED: (1e-4, 5e-4)}
"""What the sweep chooses from, for each start."""

SWEEP_SEED = 0
"""Of the sweep, so that the seeds of the table have chosen nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all cells share; written into the JSON lines, which hold cells of one setting only.

    Attributes:
        steps: updates of a cell.
        sweep_steps: updates of a run of the sweep.
        start_steps: updates of the distilled start.
        identities: P, of a batch.
        crops: K, of each.
        size: side of the network's input.
        depths: of :class:`CompactNet`.
        widths: likewise.
        embedding_size: that of the teacher of the start.
        augmentation: preset.
        enrolled: references of each person in the hold-out identification.
        teacher: model that the start is distilled from.
        start_rate: learning rate of the distillation.
    """

    steps: int = 300
    sweep_steps: int = 100
    start_steps: int = 500
    identities: int = 12
    crops: int = 4
    size: int = 56
    depths: tuple[int, int, int] = (0, 1, 1)
    widths: tuple[int, int, int] = (16, 32, 64)
    embedding_size: int = 256
    augmentation: str = "weak"
    enrolled: int = 5
    teacher: str = "compact-2"
    start_rate: float = 3e-3

    def __post_init__(self) -> None:
        if self.size % 28 or self.augmentation not in PRESETS:
            raise ValueError(f"a size that the network can halve four times: {self.size}")

    @property
    def batch_size(self) -> int:
        """Crops of one batch."""
        return self.identities * self.crops

    @property
    def samples(self) -> int:
        """Crops that a cell sees."""
        return self.steps * self.batch_size

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def network(self) -> CompactNet:
        """The default network, narrow and for small crops, with random weights."""
        network = CompactNet(self.depths, self.widths, self.embedding_size)
        # Its head weighs every place of the last map, which is smaller than that of 112 px.
        places = (-(-self.size // 16), -(-(self.size - 2 * (self.size // 14)) // 16))
        network.head[1] = nn.Conv2d(512, 512, places, groups=512, bias=False)
        return network
