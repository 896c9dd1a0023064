"""From a file to the templates of its faces: what every verb starts with."""

from facematch.pipeline.analyzer import (
    AnalyzedFace,
    AnalyzedPhotograph,
    Analyzer,
    TemplateNetwork,
)
from facematch.pipeline.cache import Acquired, Recipe, TemplateCache
from facematch.pipeline.detectors import Detector, Detectors
from facematch.pipeline.opening import open_analyzer, open_detector, open_templates
from facematch.pipeline.streaming import Reader, in_order, photographs_at_once
from facematch.pipeline.templates import Gathered, TemplateSource
from facematch.pipeline.training_crops import TrainingCropCutter, open_cutter
from facematch.types import Failure

__all__ = [
    "Acquired",
    "AnalyzedFace",
    "AnalyzedPhotograph",
    "Analyzer",
    "Detector",
    "Detectors",
    "Failure",
    "Gathered",
    "Reader",
    "Recipe",
    "TemplateCache",
    "TemplateNetwork",
    "TemplateSource",
    "TrainingCropCutter",
    "in_order",
    "open_analyzer",
    "open_cutter",
    "open_detector",
    "open_templates",
    "photographs_at_once",
]
