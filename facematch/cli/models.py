"""``facematch models``: which networks there are, and getting more of them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facematch.choices import DEFAULT_MODEL, Architecture, Device
from facematch.cli import asking, options, output
from facematch.cli.foreign import escaped, finite, shortened
from facematch.cli.progress import Progress

if TYPE_CHECKING:
    from facematch.types import ModelIdentity
    from facematch.workflows.models import (
        ModelDetails,
        ModelListing,
        NetworkCost,
        NetworkDetails,
    )

TERMINAL_CELLS = 80
GROUP_CELLS = 27
MEBIBYTE = 1 << 20

app = typer.Typer(
    help="List, show, check and install models.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="Model name, or the folder of a bundle.")]


@app.command("list")
def list_(json: options.Json = False, quiet: options.Quiet = False) -> None:
    """The models that are installed, and those that can be."""
    from facematch.embedding.registry import models_dir
    from facematch.workflows import models as workflow

    listings = workflow.list_models()
    if json:
        models = [_listing_json(listing) for listing in listings]
        output.print_json(output.versioned({"models": models}))
    else:
        for listing in listings:
            _print_listing(listing)
        print(_wrapped(f"networks to train: {', '.join(Architecture)}").strip())
    options.note(f"models are installed in {models_dir()}", quiet)


@app.command()
def show(name: Name, json: options.Json = False, quiet: options.Quiet = False) -> None:
    """What a model is, what it was trained on, under which terms; what a network costs."""
    from facematch.workflows import models as workflow

    if workflow.is_network(name):
        _show_network(workflow.show_network(name), json)
        return
    details = workflow.show_model(name, measure=True)
    if json:
        output.print_json(_details_json(details))
    else:
        _print_details(details)
    if not details.calibrated:
        options.note("it has no threshold of its own; `facematch calibrate` makes one", quiet)


@app.command()
def verify(
    name: Name = DEFAULT_MODEL,
    device: options.DeviceOption = Device.AUTO,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check a model's files against its card, and run its network once."""
    from facematch.workflows import models as workflow

    check = workflow.verify_model(name, device=device)
    options.note(f"device: {check.device}", quiet)
    if json:
        document = {
            "sound": True,
            "path": str(check.bundle.path),
            "device": check.device,
            "norm_error": check.norm_error,
            "elapsed_s": round(check.elapsed_s, 3),
        }
        output.print_json(output.versioned({**_identity_json(check.bundle.identity), **document}))
    else:
        print(f"{escaped(check.bundle.identity.name)}: sound, {escaped(check.bundle.path)}")
        print(f"  fingerprint {check.bundle.identity.fingerprint}")
        print(f"  loaded and run in {check.elapsed_s:.2f} s")


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="Name of a published model; `models list` has them.")],
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The published file, fetched by other means.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    trust: Annotated[
        str | None,
        typer.Option(
            "--trust",
            help="SHA-256 of a file that you vouch for, where none is known.",
            metavar="SHA256",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Install a published model. A download that broke off goes on where it stopped."""
    from facematch.workflows import models as workflow

    with ExitStack() as shown:
        bar = shown.enter_context(Progress(f"downloading {name}, MiB", quiet))
        result = workflow.pull_model(
            name,
            from_file=from_file,
            trust=trust,
            # The bar goes before the question comes: both are on stderr.
            confirm=_asking(name, shown.close) if asking.can_ask() else None,
            progress=_in_mebibytes(bar),
        )
    identity = result.bundle.identity
    if json:
        document = {
            "path": str(result.bundle.path),
            "sha256": result.sha256,
            "already_installed": result.already_installed,
        }
        output.print_json(output.versioned({**_identity_json(identity), **document}))
    else:
        done = "is installed already" if result.already_installed else "installed"
        print(f"{escaped(identity.name)} {done}: {escaped(result.bundle.path)}")
    options.note(f"terms: {escaped(result.bundle.card.get('terms', 'not stated'))}", quiet)


def _asking(name: str, before: Callable[[], None]) -> Callable[[str], bool]:
    def confirm(sha256: str) -> bool:
        before()
        return asking.agrees(
            f"No hash is known for the file of {name}. This one has the SHA-256\n  {sha256}\n"
            "Compare it with a source that you trust. Install it and accept only it from now on?"
        )

    return confirm


def _in_mebibytes(bar: Progress) -> Callable[[int, int | None], None]:
    def progress(received: int, total: int | None) -> None:
        if total is not None:
            bar(received // MEBIBYTE, -(-total // MEBIBYTE))

    return progress


def _identity_json(identity: ModelIdentity) -> dict[str, Any]:
    return {
        "model": identity.name,
        "model_fingerprint": identity.fingerprint,
        "embedding_size": identity.embedding_size,
    }


def _listing_json(listing: ModelListing) -> dict[str, Any]:
    path = None if listing.path is None else str(listing.path)
    return {**asdict(listing), "path": path, "installed": listing.path is not None}


def _print_listing(listing: ModelListing) -> None:
    if listing.path is None or listing.size_bytes is None:
        state = f"not installed; facematch models pull {listing.name}"
    elif listing.problem is not None:
        state = "unsound"
    else:
        state = f"installed, {_size(listing.size_bytes)}"
        state += ", calibrated" if listing.calibrated else ", no calibration"
    print(f"{escaped(listing.name)}{' (default)' if listing.default else ''}: {state}")
    for text in (listing.description, listing.problem, listing.fingerprint):
        if text is not None and text != "":
            print(_wrapped(text))


def _show_network(details: NetworkDetails, json: bool) -> None:
    if json:
        document = {"network": details.name, "description": details.description}
        output.print_json(output.versioned({**document, **_cost_json(details.cost)}))
        return
    print(f"{details.name}: a network to train (facematch train --network {details.name})")
    print(_wrapped(details.description))
    print(f"  {details.cost.parameters} parameters")
    _print_cost(details.cost)


def _cost_json(cost: NetworkCost) -> dict[str, Any]:
    return {**asdict(cost), "faces_per_s": round(cost.faces_per_s, 1)}


def _print_cost(cost: NetworkCost) -> None:
    print(
        f"  {cost.input_size}x{cost.input_size} input, {cost.multiply_adds / 1e6:.0f} million "
        f"multiply-adds a face,\n  {cost.faces_per_s:.0f} faces/s on this machine's CPU "
        "(float32, batches of 32)"
    )


def _details_json(details: ModelDetails) -> dict[str, Any]:
    bundle = details.bundle
    return output.versioned(
        {
            **_identity_json(bundle.identity),
            "default": bundle.identity.name == DEFAULT_MODEL,
            "path": str(bundle.path),
            "architecture": bundle.architecture,
            **({} if details.cost is None else _cost_json(details.cost)),
            "parameters": details.parameters,
            "preprocessing": asdict(bundle.preprocessing),
            "alignment": asdict(bundle.alignment),
            "files": [asdict(file) for file in details.files],
            "calibrated": details.calibrated,
            "card": finite(bundle.card),
        }
    )


def _print_details(details: ModelDetails) -> None:
    bundle = details.bundle
    print(f"{escaped(bundle.identity.name)}: {escaped(bundle.path)}")
    print(f"  fingerprint {bundle.identity.fingerprint}")
    print(
        f"  {escaped(bundle.architecture)}, {details.parameters} parameters, "
        f"templates of {bundle.identity.embedding_size} numbers"
    )
    alignment = bundle.alignment
    print(f"  faces cut by {alignment.kind} to {alignment.size}x{alignment.size} pixels")
    if details.cost is not None:
        _print_cost(details.cost)
    print("  calibrated" if details.calibrated else "  no calibration")
    for file in details.files:
        print(f"  {escaped(file.name)}, {_size(file.size_bytes)}")
    # What else the card says, in the order of whoever wrote it.
    for key, value in bundle.card.items():
        if isinstance(value, str) and key not in ("name", "fingerprint", "architecture"):
            print(_wrapped(f"{key.replace('_', ' ')}: {value}"))
    _print_groups(details)


def _print_groups(details: ModelDetails) -> None:
    found = details.groups
    if found is None:
        return
    print(f"  false matches within groups of people, at the threshold {found.threshold:.4f}")
    print(f"    {'group':{GROUP_CELLS}} comparisons  matches    rate (95 % interval)")
    for line in sorted(found.groups, key=lambda line: -line.fmr):
        group = shortened(escaped(line.group), GROUP_CELLS)
        limits = f"({100 * line.low:.2f} to {100 * line.high:.2f})"
        print(
            f"    {group:{GROUP_CELLS}} {line.comparisons:11} {line.false_matches:8}"
            f"  {100 * line.fmr:6.2f} % {limits}"
        )
    print(_wrapped(found.protocol))


def _wrapped(text: str) -> str:
    return textwrap.fill(
        escaped(text), TERMINAL_CELLS, initial_indent="  ", subsequent_indent="    "
    )


def _size(nbytes: int) -> str:
    return f"{nbytes / MEBIBYTE:.1f} MiB" if nbytes >= MEBIBYTE else f"{nbytes / 1024:.1f} KiB"
