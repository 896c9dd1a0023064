"""An HTTP server of one file, with faults to order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """One file on a loopback address.

    Attributes:
        content: of the file.
        etag, last_modified: as sent; None to leave the header out.
        ranges: whether parts can be asked for.
        honours_if_range: whether a part is refused when the file changed.
        says_length: whether Content-Length is sent.
        cuts: per request still to come, after how many bytes of the body to hang up.
        statuses: per request still to come, an error to answer with.
        redirect: where to send everybody.
        asked: the Range header of each request so far.
        url: of the file.
    """

    content: bytes = b""
    etag: str | None = '"one"'
    last_modified: str | None = None
    ranges: bool = True
    honours_if_range: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str | None = None
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serve(content: bytes) -> Iterator[FileServer]:
    """Serves ``content`` until the block ends."""
    server = FileServer(content)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            if server.redirect is not None and self.path == "/file":
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
                return
            if server.statuses:
                self.send_error(server.statuses.pop(0))
                return
            validators = (server.etag, server.last_modified)
            same = self.headers.get("If-Range") in validators or not server.honours_if_range
            start = 0
            if wanted is not None and server.ranges and same:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(server.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                last = len(server.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            else:
                self.send_response(200)
            body = server.content[start:]
            if server.says_length:
                self.send_header("Content-Length", str(len(body)))
            for name, value in zip(("ETag", "Last-Modified"), validators, strict=True):
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/file"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
