"""Train an embedding network, and write it as a bundle."""

from facematch.workflows.train.data import DataReport
from facematch.workflows.train.planning import TrainPlan, plan_training, processes, read_recipe
from facematch.workflows.train.running import TrainResult, run_training
from facematch.workflows.train.verdicts import Verdict, verdict

__all__ = [
    "DataReport",
    "TrainPlan",
    "TrainResult",
    "Verdict",
    "plan_training",
    "processes",
    "read_recipe",
    "run_training",
    "verdict",
]
