"""``facematch gallery encrypt``, ``decrypt`` and ``rekey``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facematch.cli import gallery_output, options, output, unlocking
from facematch.cli.foreign import escaped

if TYPE_CHECKING:
    from facematch.workflows.gallery_encryption import EncryptionResult

NewPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Its new passphrase, in the one line of this file [default: ask on the terminal].",
        metavar="FILE",
        readable=False,
    ),
]
NewKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="Its new key file, made if it does not exist.",
        metavar="FILE",
        readable=False,
    ),
]


def encrypt(
    passphrase_file: NewPassphraseFile = None,
    key_file: NewKeyFile = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Encrypt the gallery and its snapshots. Without the secret nobody reads them again."""
    from facematch.workflows import gallery_encryption as workflow

    keys = unlocking.keys_of(passphrase_file, key_file, make=gallery.is_file(), quiet=quiet)
    _report(workflow.encrypt_gallery(gallery, keys, wait_s=wait), json, quiet)
    options.note("free blocks of the disk, backups and exports may still hold it readable", quiet)


def decrypt(
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Take the encryption from the gallery and its snapshots."""
    from facematch.workflows import gallery_encryption as workflow

    keys = unlocking.keys_of(passphrase_file, key_file)
    _report(workflow.decrypt_gallery(gallery, keys, wait_s=wait), json, quiet)


def rekey(
    passphrase_file: unlocking.PassphraseFile = None,
    key_file: unlocking.KeyFile = None,
    new_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--new-passphrase-file",
            help="The passphrase that it gets [default: ask on the terminal].",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    new_key_file: Annotated[
        Path | None,
        typer.Option(
            "--new-key-file",
            help="The key file that it gets, made if it does not exist.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    gallery: options.GalleryOption = options.DEFAULT_GALLERY,
    wait: options.Wait = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Give the encrypted gallery and its snapshots another passphrase or key file."""
    from facematch.workflows import gallery_encryption as workflow

    keys = unlocking.keys_of(passphrase_file, key_file)
    new = unlocking.keys_of(new_passphrase_file, new_key_file, make=gallery.is_file(), quiet=quiet)
    _report(workflow.rekey_gallery(gallery, keys, new, wait_s=wait), json, quiet)
    options.note("backups made before still open with the old secret", quiet)


def _report(result: EncryptionResult, json: bool, quiet: bool) -> None:
    if json:
        document = {
            "encrypted": result.method is not None,
            "method": result.method,
            "files": list(result.files),
        }
        output.print_json(gallery_output.about(document, result.state))
    else:
        what = "not encrypted" if result.method is None else f"encrypted ({_NAMES[result.method]})"
        for file in result.files:
            print(f"{escaped(file)}: {what}")
    gallery_output.note_state(result.state, quiet)


_NAMES = {
    "argon2id": "AES-256-GCM, passphrase by Argon2id",
    "scrypt": "AES-256-GCM, passphrase by scrypt",
    "key_file": "AES-256-GCM, key file",
}
