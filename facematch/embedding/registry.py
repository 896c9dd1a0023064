"""Which models there are, and where: bundled, installed, or by path."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from facematch.choices import DEFAULT_MODEL
from facematch.embedding.bundle import CARD, ModelBundle, load_bundle
from facematch.errors import ModelFormatError, UnknownModelError

BUNDLED = Path(__file__).parent / "models"


def models_dir() -> Path:
    """Where ``models pull`` installs bundles. ``FACEMATCH_MODELS_DIR`` moves it."""
    override = os.environ.get("FACEMATCH_MODELS_DIR")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("facematch", appauthor=False) / "models"


def installed_models() -> dict[str, Path]:
    """Name to folder of every bundle on this machine, bundled ones first.

    Raises:
        ModelFormatError: the folder of models is there but cannot be read.
    """
    found: dict[str, Path] = {}
    for root in (BUNDLED, models_dir()):
        try:
            for folder in sorted(root.iterdir()):
                if (folder / CARD).is_file() and not folder.name.startswith("."):
                    found.setdefault(folder.name, folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ModelFormatError(
                f"{root}: cannot be read ({error.strerror}); set FACEMATCH_MODELS_DIR to the "
                "folder of your models"
            ) from error
    return found


def find_model(name_or_path: str = DEFAULT_MODEL) -> ModelBundle:
    """Opens a bundle by name, or by path if the argument names a folder with a card.

    Raises:
        UnknownModelError: there is no such model.
        ModelFormatError, ModelHashError: it is there but unsound.
    """
    installed = installed_models()
    if name_or_path in installed:
        return load_bundle(installed[name_or_path])
    if os.sep in name_or_path or _is_bundle(Path(name_or_path)):
        return load_bundle(Path(name_or_path))
    from facematch.embedding.published import PUBLISHED

    if name_or_path in PUBLISHED:
        raise UnknownModelError(
            f"model {name_or_path} is not installed; run: facematch models pull {name_or_path}"
        )
    near = difflib.get_close_matches(name_or_path, [*installed, *PUBLISHED])
    hint = f"did you mean {' or '.join(near)}?" if near else "facematch models list shows all"
    raise UnknownModelError(f"there is no model named {name_or_path!r}; {hint}")


def _is_bundle(folder: Path) -> bool:
    try:
        return (folder / CARD).is_file()
    except OSError:  # what cannot be a path, an over-long name for one
        return False
