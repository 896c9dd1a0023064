"""From a file to the templates of its faces: what every verb starts with."""

from facematch.pipeline.analyzer import (
    AnalyzedFace,
    AnalyzedPhotograph,
    Analyzer,
    Detector,
    TemplateNetwork,
)
from facematch.pipeline.cache import Acquired, Recipe, TemplateCache
from facematch.pipeline.opening import open_analyzer, open_detector, open_templates
from facematch.pipeline.templates import Gathered, TemplateSource
from facematch.pipeline.training_crops import TrainingCropCutter, open_cutter
from facematch.types import Failure

__all__ = [
    "Acquired",
    "AnalyzedFace",
    "AnalyzedPhotograph",
    "Analyzer",
    "Detector",
    "Failure",
    "Gathered",
    "Recipe",
    "TemplateCache",
    "TemplateNetwork",
    "TemplateSource",
    "TrainingCropCutter",
    "open_analyzer",
    "open_cutter",
    "open_detector",
    "open_templates",
]
