"""Which crops make up batch number ``step``: pure functions of (seed, step).

Because a batch depends on nothing but its number, a run resumes in the middle of an epoch
exactly, and several ranks draw disjoint parts of one batch without talking to each other.
"""

from facematch.training.sampling.balanced import (
    apportion,
    balanced_batches,
    balanced_identity_batches,
)
from facematch.training.sampling.batches import (
    BatchSampler,
    DivisibleSampler,
    MixedBatches,
    ShuffledBatches,
    SubsetBatches,
)
from facematch.training.sampling.identities import IdentityBatches
from facematch.training.sampling.lookalikes import LookAlikeBatches
from facematch.training.sampling.sharded import Sharded

__all__ = [
    "BatchSampler",
    "DivisibleSampler",
    "IdentityBatches",
    "LookAlikeBatches",
    "MixedBatches",
    "Sharded",
    "ShuffledBatches",
    "SubsetBatches",
    "apportion",
    "balanced_batches",
    "balanced_identity_batches",
]
