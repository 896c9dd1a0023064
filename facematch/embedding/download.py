"""Fetching one file so that an interruption costs nothing and a wrong file is never kept.

What has arrived is in ``FILE.part``; ``FILE.part.json`` says which file of the server it is
the beginning of (address, ETag or Last-Modified, length). A later attempt, in this run or
the next, asks for the rest on the condition that the server's file is still that one, and
starts again if it is not, or if the server cannot send parts. ``FILE`` itself appears by a
rename, complete and with its hash checked.

Only https, or http to this machine: the hash of a file is not always known beforehand.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from facematch.errors import DownloadError, ModelHashError, OutputError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes in all, None while that is unknown."""

CHUNK_BYTES = 1 << 18
LARGEST_RECORD_BYTES = 1 << 16
# The server is there but cannot serve now; anything else below 500 will not change by itself.
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_FROM_FILE = "fetch it on another machine and give it with --from FILE"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(
    url: str,
    target: Path,
    *,
    largest_bytes: int,
    sha256: str | None = None,
    progress: Progress | None = None,
    attempts: int = 5,
    timeout_s: float = 20.0,
    pause_s: float = 1.0,
) -> str:
    """Fetches ``url`` into ``target``, going on where an earlier run was interrupted.

    A server that cannot be reached at all is an error at once; one that has answered is
    tried ``attempts`` times, with pauses that double.

    Args:
        url: https, or http on a loopback address.
        target: file to write; its folder is made.
        largest_bytes: longest file that is accepted.
        sha256: hexadecimal digest that the file must have, if it is known.
        progress: told of each piece that arrives.
        attempts: to finish the transfer.
        timeout_s: of connecting, and of each wait for more bytes.
        pause_s: before the second attempt; twice that before the third, and so on.

    Returns:
        Hexadecimal SHA-256 of the file.

    Raises:
        DownloadError: it could not be fetched; what arrived is kept for the next run.
        ModelHashError: it is not the file of that hash; it was deleted.
        OutputError: it cannot be written.
    """
    _require_safe(url)
    part = target.with_name(f"{target.name}.part")
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    transfer = _Transfer(url, part, largest_bytes, timeout_s, progress)
    for attempt in range(attempts):
        try:
            transfer.attempt()
            break
        except _BrokenOffError as error:
            reason = str(error)
        if attempt + 1 < attempts:
            time.sleep(pause_s * 2**attempt)
    else:
        raise DownloadError(
            f"{url}: gave up after {attempts} attempts ({reason}); what arrived is kept: run "
            f"the command again to go on from there, or {_FROM_FILE}"
        )
    with _writing(part):
        with part.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        transfer.record_path.unlink(missing_ok=True)
        if sha256 is not None and digest != sha256:
            part.unlink()
        else:
            part.replace(target)
            return digest
    raise ModelHashError(
        f"{url}: the file has the SHA-256 {digest} and not {sha256}; it was deleted: run the "
        f"command again, or {_FROM_FILE}"
    )


class _BrokenOffError(Exception):
    """The transfer stopped for a reason that may pass."""


@dataclass(frozen=True, slots=True)
class _Record:
    """Which file of the server a ``.part`` file is the beginning of.

    Attributes:
        url: its address.
        validator: strong ETag, else Last-Modified; changes when the file does.
        total: length in bytes, if the server said it.
    """

    url: str
    validator: str
    total: int | None


class _Transfer:
    """The attempts at one file."""

    def __init__(
        self, url: str, part: Path, largest: int, timeout_s: float, progress: Progress | None
    ) -> None:
        self._url = url
        self._part = part
        self.record_path = part.with_name(f"{part.name}.json")
        self._largest = largest
        self._timeout_s = timeout_s
        self._progress = progress
        self._answered = False
        # A proxy from the environment cannot reach this machine's own loopback address.
        proxies = [urllib.request.ProxyHandler({})] if _is_loopback(url) else []
        self._opener = urllib.request.build_opener(_SafeRedirects, *proxies)

    def attempt(self) -> None:
        """Fetches what is missing.

        Raises:
            _BrokenOffError: another attempt may get further.
            DownloadError: none will.
            OutputError: the part cannot be written.
        """
        record, offset = self._kept()
        if record is not None and record.total == offset:
            return
        request = urllib.request.Request(self._url, headers={"User-Agent": "facematch"})
        if record is not None:
            request.add_header("Range", f"bytes={offset}-")
            request.add_header("If-Range", record.validator)
        with self._open(request) as response:
            self._answered = True
            if response.status == 206 and record is not None:
                total = self._check_continuation(response, record, offset)
            elif response.status == 200:
                offset, total = 0, _length(response)
            else:
                raise DownloadError(
                    f"{self._url}: unexpected answer HTTP {response.status}; {_FROM_FILE}"
                )
            self._bound(total)
            self._receive(response, offset, total)

    def _kept(self) -> tuple[_Record | None, int]:
        """The record and length of what earlier attempts left, if it can be gone on with."""
        try:
            offset = self._part.stat().st_size
            with self.record_path.open("rb") as file:
                content = json.loads(file.read(LARGEST_RECORD_BYTES))
            record = _Record(**content)
        except (OSError, ValueError, TypeError, RecursionError):
            return None, 0
        if record.url != self._url or not isinstance(record.validator, str) or offset == 0:
            return None, 0
        return record, offset

    def _drop(self) -> None:
        # The record first: a part without one is never gone on with.
        with _writing(self._part):
            self.record_path.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)

    def _open(self, request: urllib.request.Request) -> HTTPResponse:
        try:
            response: HTTPResponse = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                self._answered = True
                if error.code == 416:
                    self._drop()
                    raise _BrokenOffError("the server's file is the shorter one") from error
                if error.code in _PASSING_STATUS:
                    raise _BrokenOffError(f"HTTP {error.code} {error.reason}") from error
                raise DownloadError(
                    f"{self._url}: the server refused (HTTP {error.code} {error.reason}); check "
                    f"the address, or {_FROM_FILE}"
                ) from error
        except (OSError, HTTPException, UnicodeError) as error:
            if self._answered:
                raise _BrokenOffError(_reason(error)) from error
            raise DownloadError(
                f"{self._url}: the server cannot be reached ({_reason(error)}); check the "
                f"network, or {_FROM_FILE}"
            ) from error
        return response

    def _check_continuation(
        self, response: HTTPResponse, record: _Record, offset: int
    ) -> int | None:
        """Whether the server sent the rest of the same file; not all honour If-Range."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        total = None if found is None or found[2] == "*" else int(found[2])
        if (
            found is None
            or int(found[1]) != offset
            or _validator(response) != record.validator
            or total != record.total
        ):
            self._drop()
            raise _BrokenOffError("the file on the server changed")
        return total

    def _bound(self, bytes_: int | None) -> None:
        if bytes_ is not None and bytes_ > self._largest:
            self._drop()
            raise DownloadError(
                f"{self._url}: longer than the {self._largest} bytes that are accepted; check "
                f"the address, or {_FROM_FILE}"
            )

    def _receive(self, response: HTTPResponse, offset: int, total: int | None) -> None:
        if offset == 0:
            self._drop()
        with _writing(self._part), self._part.open("ab") as file:
            validator = _validator(response)
            if offset == 0 and validator is not None:
                record = _Record(self._url, validator, total)
                self.record_path.write_text(json.dumps(asdict(record)))
            received = offset
            while chunk := _read(response):
                received += len(chunk)
                self._bound(received)
                file.write(chunk)
                if self._progress is not None:
                    self._progress(received, total)
        if total is not None and received != total:
            raise _BrokenOffError(f"the connection broke off at {received} of {total} bytes")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not out of https, nor from the network to this machine."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_safe(newurl)
        if _is_loopback(newurl) and not _is_loopback(req.full_url):
            raise DownloadError(
                f"{req.full_url}: the server redirects to this machine ({newurl}); check the "
                f"address, or {_FROM_FILE}"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(url))
        )
    except ValueError:
        sound = False
    if not sound:
        raise DownloadError(f"{url}: only https addresses are fetched; check it, or {_FROM_FILE}")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _validator(response: HTTPResponse) -> str | None:
    """What If-Range takes: a weak ETag may stand for different bytes, so it does not count."""
    etag = response.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return str(etag)
    return response.headers.get("Last-Modified")


def _length(response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK_BYTES)
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """The innermost cause on one line; urllib wraps the socket's own error."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free some space or set "
            "FACEMATCH_MODELS_DIR to a folder that can be written"
        ) from error
