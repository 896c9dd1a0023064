"""Face detection: the MTCNN cascade (Zhang et al., SPL 2016, arXiv 1604.02878)."""

from facematch.imaging.mtcnn.cascade import DetectorSettings, FaceDetector

__all__ = ["DetectorSettings", "FaceDetector"]
