"""facematch: face verification and identification with thresholds from your own data."""

__version__ = "0.1.0"
