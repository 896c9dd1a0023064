"""Train an embedding network, and write it as a bundle."""

from facematch.workflows.train.data import DataReport
from facematch.workflows.train.planning import TrainPlan, plan_training, processes, read_recipe
from facematch.workflows.train.running import TrainResult, run_training

__all__ = [
    "DataReport",
    "TrainPlan",
    "TrainResult",
    "plan_training",
    "processes",
    "read_recipe",
    "run_training",
]
