"""From a file to the templates of its faces: what every verb starts with."""

from facematch.pipeline.analyzer import (
    AnalyzedFace,
    AnalyzedPhotograph,
    Analyzer,
    Detector,
    Failure,
    TemplateNetwork,
)
from facematch.pipeline.opening import open_analyzer, open_detector
from facematch.pipeline.training_crops import TrainingCropCutter, open_cutter

__all__ = [
    "AnalyzedFace",
    "AnalyzedPhotograph",
    "Analyzer",
    "Detector",
    "Failure",
    "TemplateNetwork",
    "TrainingCropCutter",
    "open_analyzer",
    "open_cutter",
    "open_detector",
]
