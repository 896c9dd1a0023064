"""How a command gets at the secret of an encrypted gallery: from a file, or by asking.

There is no option that takes the secret itself, and no variable: both can be read by others.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facematch.cli import asking, options
from facematch.errors import UsageError

if TYPE_CHECKING:
    from facematch.gallery.keys import Keys

# Where files belong to nobody in particular, their modes say nothing.
_OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH if os.name == "posix" else 0

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Passphrase of an encrypted gallery, in the one line of this file "
        "[default: ask on the terminal].",
        metavar="FILE",
        readable=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="Key file of an encrypted gallery.",
        metavar="FILE",
        readable=False,
    ),
]
Encrypt = Annotated[
    bool,
    typer.Option(
        "--encrypt",
        help="If the gallery is new, encrypt it; a key file that does not exist is made.",
    ),
]


def keys_of(
    passphrase_file: Path | None,
    key_file: Path | None,
    *,
    make: bool = False,
    quiet: bool = False,
) -> Keys:
    """The secret that was given, or one that will be asked for.

    Args:
        passphrase_file: file with a passphrase.
        key_file: file with a key.
        make: whether a key file that does not exist is made.
        quiet: do not say so.

    Raises:
        UsageError: both were given.
        GalleryKeyError: the file cannot be read, or is none.
        OutputError: the key file cannot be made.
    """
    from facematch.gallery import keys

    if passphrase_file is not None and key_file is not None:
        raise UsageError("a gallery has a passphrase or a key file, not both")
    if key_file is not None:
        if make and not key_file.exists():
            keys.make_key(key_file)
            options.note(f"made {key_file}: whoever loses it loses the gallery", quiet)
        _warn_if_others_may_read(key_file)
        return keys.Keys(keys.read_key(key_file))
    if passphrase_file is not None:
        _warn_if_others_may_read(passphrase_file)
        return keys.Keys(keys.read_passphrase(passphrase_file))
    return keys.Keys(ask=asking.secret if asking.can_ask() else None)


def _warn_if_others_may_read(path: Path) -> None:
    with suppress(OSError):  # whoever reads it says so
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_mode & _OTHERS_MAY_READ:
            options.note(f"WARNING: {path} can be read by others; `chmod 600` it", quiet=False)
