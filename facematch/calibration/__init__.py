"""Calibrations: labelled pairs in, a threshold with measured error rates out."""

from facematch.calibration.fit import fit_calibration
from facematch.calibration.pairs import Pair, PairList, load_pairs
from facematch.calibration.plot import plot_roc
from facematch.calibration.record import SCHEMA_VERSION, Calibration
from facematch.calibration.store import load_calibration, save_calibration

__all__ = [
    "SCHEMA_VERSION",
    "Calibration",
    "Pair",
    "PairList",
    "fit_calibration",
    "load_calibration",
    "load_pairs",
    "plot_roc",
    "save_calibration",
]
