"""The findings of an audit as one page of HTML that needs nothing beside itself.

All text in it may come from a gallery that somebody else made: it is escaped, and the page
forbids itself scripts and anything from the network.
"""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from facematch.cli import output
from facematch.cli.foreign import escaped
from facematch.cli.gallery_audit import sections
from facematch.gallery.atomic import replacing
from facematch.overwriting import head_of, require_replaceable
from facematch.types import UInt8Array
from facematch.workflows.gallery_audit import AuditResult

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Gallery audit</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
li { margin: .5em 0 } img { height: 112px; margin-right: 4px; vertical-align: middle }
.note { color: #555 }
</style>
"""


def require_page_place(path: Path) -> None:
    """Lets the page replace nothing but an older one.

    Raises:
        OutputError: something else is there.
    """
    require_replaceable(path, "an audit", _is_page)


def write_page(path: Path, result: AuditResult) -> None:
    """Write the page, readable by its owner alone; an older one is replaced.

    Raises:
        OutputError: it cannot be written, or something else is there.
    """
    require_page_place(path)
    with replacing(path) as temporary:
        temporary.write_text(_page(result), "utf-8")


def _is_page(path: Path) -> bool:
    return head_of(path, len(_HEAD)) == _HEAD.encode()


def _page(result: AuditResult) -> str:
    state = result.state
    parts = [
        _HEAD,
        f"<h1>Audit of {_safe(state.path)}</h1>\n",
        f"<p>{state.references} references of {state.subjects} subjects; "
        f"{_safe(output.describe_decision(result.decision))}. "
        "Findings are for a person to look at.</p>\n",
    ]
    for heading, advice, lines in sections(result):
        parts.append(f"<h2>{_safe(heading)}: {len(lines)}</h2>\n")
        if lines:
            parts.append(f'<p class="note">{_safe(advice)}</p>\n<ol>\n')
            parts += [f"<li>{_crops(result, rows)}{_safe(text)}</li>\n" for text, rows in lines]
            parts.append("</ol>\n")
    return "".join([*parts, "</html>\n"])


def _safe(text: str) -> str:
    return html.escape(escaped(text), quote=True)


def _crops(result: AuditResult, rows: tuple[int, ...]) -> str:
    pictures = [result.named[row].reference.crop_rgb for row in rows]
    return "".join(
        f'<img alt="row {row}" src="data:image/png;base64,{_png(picture)}">'
        for row, picture in zip(rows, pictures, strict=True)
        if picture is not None
    )


def _png(crop_rgb: UInt8Array) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(crop_rgb).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
