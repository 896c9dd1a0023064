"""The whole exception tree, with the exit code that each family ends a command with.

Every message is one line that says what happened, which file, and what to do. ``cli``
catches :class:`FacematchError` once, prints the message on stderr and exits with
``exit_code``; everything else that escapes is a bug.

    0   success, or a match            5   model
    1   non-match                      6   calibration
    2   usage                          7   configuration (device, missing extra)
    3   input (pictures, lists)        8   output (unwritable, disk full)
    4   gallery                        9   training
    10  worse than the baseline    70  a bug in facematch
    130 interrupted (Ctrl-C)
"""

from __future__ import annotations


class FacematchError(Exception):
    """Anything a user can get wrong."""

    exit_code = 2


class UsageError(FacematchError):
    """Options that contradict each other or are out of range."""


class InputError(FacematchError):
    """A picture or list that cannot be used."""

    exit_code = 3


class ImageNotFoundError(InputError):
    """The path does not exist, or is a folder where a picture was expected."""


class ImageDecodeError(InputError):
    """The file is empty, truncated, or not a picture in a known format."""


class ImageTooLargeError(InputError):
    """The file or its decoded picture exceeds the limits; nothing was allocated."""


class NoFaceError(InputError):
    """No face was found in the picture."""


class SeveralFacesError(InputError):
    """More than one face where exactly one was asked for."""


class LowQualityError(InputError):
    """The face is below the quality thresholds and ``--strict`` was given."""


class PairsFormatError(InputError):
    """A pairs file that does not follow its format."""


class ManifestError(InputError):
    """An enrolment list that does not follow its format."""


class EvaluationFormatError(InputError):
    """A result of an evaluation that cannot be read, or is none."""


class GalleryError(FacematchError):
    """A gallery file that cannot be used."""

    exit_code = 4


class GalleryNotFoundError(GalleryError):
    """The gallery file does not exist."""


class GalleryFormatError(GalleryError):
    """The file is not HDF5, not a facematch gallery, or of an unknown version."""


class GalleryCorruptError(GalleryError):
    """A gallery whose contents fail their checksums or hold NaN."""


class GalleryModelMismatchError(GalleryError):
    """The gallery holds templates of another model."""


class GalleryLockedError(GalleryError):
    """Another process is writing to the gallery."""


class GalleryKeyError(GalleryError):
    """An encrypted gallery without its passphrase or key file, or with another one."""


class EmptyGalleryError(GalleryError):
    """The gallery holds no templates."""


class UnknownSubjectError(GalleryError):
    """The gallery has no subject of that name."""


class ModelError(FacematchError):
    """A model bundle that cannot be used."""

    exit_code = 5


class UnknownModelError(ModelError):
    """No model of that name is installed or known."""


class ModelFormatError(ModelError):
    """A bundle with missing, foreign or inconsistent files."""


class ModelHashError(ModelError):
    """A file whose SHA-256 is not the pinned one."""


class DownloadError(ModelError):
    """A download that could not be made or finished."""


class CalibrationError(FacematchError):
    """A calibration that cannot be used or made."""

    exit_code = 6


class CalibrationNotFoundError(CalibrationError):
    """The calibration file does not exist, or the model ships with none."""


class CalibrationFormatError(CalibrationError):
    """A calibration file that does not follow its schema."""


class CalibrationModelMismatchError(CalibrationError):
    """The calibration was made with another model."""


class OneClassError(CalibrationError):
    """Only genuine or only impostor comparisons: no threshold can be chosen."""


class ConfigurationError(FacematchError):
    """The machine or the installation lacks what was asked for."""

    exit_code = 7


class DeviceUnavailableError(ConfigurationError):
    """The device that was asked for is not there."""


class MissingExtraError(ConfigurationError):
    """An optional package is not installed; the message names the extra."""


class OutputError(FacematchError):
    """A result that could not be written: no permission, no space, not a folder."""

    exit_code = 8


class TrainingError(FacematchError):
    """Training cannot start or go on."""

    exit_code = 9


class CollapseError(TrainingError):
    """The embeddings became one point; nothing more would be learned."""


class TrainingDataError(TrainingError):
    """Training data that is missing or cannot be read."""


class RegressionError(FacematchError):
    """Worse than a baseline beyond what chance explains; or not better than a start, if asked."""

    exit_code = 10
