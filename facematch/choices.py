"""What a user can choose from. Free of heavy imports, because ``--help`` needs it."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_MODEL = "compact-2"


class Metric(StrEnum):
    """Distances between templates. Smaller is more alike for each of them."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared-euclidean"
    MANHATTAN = "manhattan"
    PEARSON = "pearson"


class FaceChoice(StrEnum):
    """Which face of a picture with several is used."""

    LARGEST = "largest"
    CENTER = "center"
    BEST = "best"
    ALL = "all"
    ONLY = "only"


class Search(StrEnum):
    """How far faces are looked for; ``fast`` ends where no smaller one is likely to be chosen."""

    FAST = "fast"
    FULL = "full"


class Device(StrEnum):
    """Where the networks run; ``auto`` takes a GPU if there is one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Architecture(StrEnum):
    """Networks that can be trained; ``facematch models show`` tells what each costs."""

    COMPACT_2 = "compact-2"
    MOBILEFACENET = "mobilefacenet"
    IRESNET_18 = "iresnet-18"
    IRESNET_34 = "iresnet-34"
    IRESNET_50 = "iresnet-50"
    INCEPTION_RESNET_V1 = "inception-resnet-v1"


class Augmenting(StrEnum):
    """How strongly training crops are varied."""

    NONE = "none"
    WEAK = "weak"
    STANDARD = "standard"
    STRONG = "strong"


class Parallel(StrEnum):
    """What the processes of one training run share."""

    DATA = "data"
    FSDP = "fsdp"
    MIXED = "mixed"


class NetworkForm(StrEnum):
    """Forms in which a network is exported."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    INT8 = "int8"


class ExportFormat(StrEnum):
    """Forms in which a gallery is exported."""

    H5 = "h5"
    CSV = "csv"
    JSON = "json"


class FaceConflict(StrEnum):
    """What an import does with a face that the gallery has, but not as the file has it."""

    SKIP = "skip"
    REPLACE = "replace"
    FAIL = "fail"


class NameConflict(StrEnum):
    """What an import does with a name that the gallery has, for somebody who may be another."""

    JOIN = "join"
    RENAME = "rename"
    FAIL = "fail"
