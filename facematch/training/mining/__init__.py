"""Mining: which pairs, triplets or quadruplets of a batch the loss sees.

=================  ===================  ================================================
way                genuine pairs        negatives
=================  ===================  ================================================
all                every one            every one
random             every one            drawn evenly
semi-hard          every one            nearest of those farther than the genuine pair
batch-hard         farthest per anchor  nearest
easy-positive      nearest per anchor   nearest
distance-weighted  every one            drawn so that all distances are equally likely
adaptive           every one            every one that violates margins from the batch
=================  ===================  ================================================

Each gives pairs, triplets and quadruplets. The first negative is chosen from the anchor's
point of view, the second from the first one's, among the crops of neither identity.
"""

from facematch.training.mining.miners import (
    batch_hard,
    mine_pairs,
    mine_quadruplets,
    mine_triplets,
)
from facematch.training.mining.pool import PairStatistics, Pool, pair_statistics, pool_of
from facematch.training.mining.tuples import Pairs, Quadruplets, Triplets

__all__ = [
    "PairStatistics",
    "Pairs",
    "Pool",
    "Quadruplets",
    "Triplets",
    "batch_hard",
    "mine_pairs",
    "mine_quadruplets",
    "mine_triplets",
    "pair_statistics",
    "pool_of",
]
