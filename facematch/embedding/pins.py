"""The hashes that people vouched for, in ``pins.json`` beside the installed models.

A published file without a known hash is trusted once, by a person; from then on only that
file is accepted under the name. Deleting the entry is how to change one's mind.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

from facematch.errors import ModelFormatError, OutputError

PINS = "pins.json"
PINS_SCHEMA = 1
LARGEST_PINS_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: object) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def read_pins(folder: Path) -> dict[str, str]:
    """Model name to SHA-256 of the file it was installed from; empty if there is no file.

    Raises:
        ModelFormatError: the file is not one of ours. It is not taken for empty, because
            then any file would be accepted again.
    """
    path = folder / PINS
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(LARGEST_PINS_BYTES))
        pins = content["sha256"]
        if content["schema"] != PINS_SCHEMA or not isinstance(pins, dict):
            raise ValueError(f"expected schema {PINS_SCHEMA}")
        if not all(map(is_sha256, pins.values())):
            raise ValueError("an entry is not a SHA-256")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelFormatError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFormatError(
            f"{path}: not a list of pinned hashes ({error}); mend or delete it"
        ) from error
    return dict(pins)


def write_pin(folder: Path, name: str, sha256: str) -> None:
    """Adds one pin. The caller holds the lock of the folder.

    Raises:
        ModelFormatError: the present file is not one of ours.
        OutputError: it cannot be written.
    """
    pins = read_pins(folder) | {name: sha256}
    content = {"schema": PINS_SCHEMA, "sha256": dict(sorted(pins.items()))}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{PINS}.", delete=False) as file:
            partial = Path(file.name)
            try:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
                partial.chmod(0o644)
                partial.replace(folder / PINS)
            except OSError:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutputError(f"{folder / PINS}: cannot be written ({error.strerror})") from error
