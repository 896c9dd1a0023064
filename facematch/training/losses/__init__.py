"""Losses, one file each.

Every loss on labelled crops has ``forward``, which returns the scalar, and ``evaluate``,
which returns it with the share of tuples that it came from; and ``collapsed_loss``, where
the loss of a network sticks that maps all faces to one point, if that can be said.
"""

from facematch.training.losses.classification import ClassificationLoss
from facematch.training.losses.contrastive import ContrastiveLoss
from facematch.training.losses.distillation import DistillationLoss
from facematch.training.losses.hinge import Margins, Outcome, adaptive_margins
from facematch.training.losses.margin_sample_mining import MarginSampleMiningLoss
from facematch.training.losses.quadruplet import QuadrupletLoss
from facematch.training.losses.quadruplet_distillation import QuadrupletDistillationLoss
from facematch.training.losses.relational import RelationalLoss
from facematch.training.losses.triplet import TripletLoss
from facematch.training.losses.two_anchors import TwoAnchorLoss

__all__ = [
    "ClassificationLoss",
    "ContrastiveLoss",
    "DistillationLoss",
    "MarginSampleMiningLoss",
    "Margins",
    "Outcome",
    "QuadrupletDistillationLoss",
    "QuadrupletLoss",
    "RelationalLoss",
    "TripletLoss",
    "TwoAnchorLoss",
    "adaptive_margins",
]
