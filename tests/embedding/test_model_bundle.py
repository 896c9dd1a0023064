from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_network import TINY_EMBEDDING, TINY_SIZE

from facematch.embedding import ModelBundle, Preprocessing, load_bundle
from facematch.embedding.bundle import NETWORK_FILES, WEIGHTS, file_hashes, fingerprint
from facematch.errors import ModelFormatError, ModelHashError
from facematch.runtime import Device, open_engine
from facematch.runtime.torch_engine import TorchEngine
from facematch.types import Alignment

Card = dict[str, Any]


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "bundle"))


def change_card(folder: Path, change: Callable[[Card], object]) -> None:
    card = json.loads((folder / "card.json").read_bytes())
    change(card)
    (folder / "card.json").write_text(json.dumps(card))


def stamp(folder: Path) -> ModelBundle:
    """Writes the hashes that the changed files ask for, as a forger would."""
    card = json.loads((folder / "card.json").read_bytes())
    hashes = file_hashes(folder)
    value = fingerprint(
        hashes[WEIGHTS],
        card["architecture"],
        Preprocessing(**card["preprocessing"]),
        Alignment(**card["alignment"]),
    )
    change_card(folder, lambda card: card.update(fingerprint=value, files=hashes))
    return load_bundle(folder)


def test_loads_what_was_exported(tiny_folder: Path) -> None:
    bundle = load_bundle(tiny_folder)
    assert bundle.identity.name == "tiny"
    assert bundle.identity.embedding_size == TINY_EMBEDDING
    assert bundle.preprocessing == Preprocessing(127.5, 1 / 127.5, False)
    assert bundle.alignment == Alignment("box", TINY_SIZE)
    assert bundle.card["description"] == "a network for tests"
    assert bundle.calibration_path == tiny_folder / "calibration.json"


@pytest.mark.parametrize("name", ["card.json", *NETWORK_FILES])
def test_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFormatError, match=f"{name}: cannot be read"):
        load_bundle(folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="a model bundle is a folder with"):
        load_bundle(tmp_path / "absent")


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NETWORK_FILES),
    position=st.floats(0, 1, exclude_max=True),
    flip=st.integers(1, 255),
)
def test_any_changed_byte_is_seen(tiny_folder: Path, name: str, position: float, flip: int) -> None:
    original = (tiny_folder / name).read_bytes()
    changed = bytearray(original)
    changed[int(position * len(changed))] ^= flip
    try:
        (tiny_folder / name).write_bytes(changed)
        with pytest.raises(ModelHashError, match="install it again"):
            load_bundle(tiny_folder)
    finally:
        (tiny_folder / name).write_bytes(original)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b" " * ((1 << 20) + 1),
    ],
    ids=["empty", "cut", "list", "null", "not UTF-8", "deep list", "deep object", "long"],
)
def test_card_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "card.json").write_bytes(content)
    with pytest.raises(ModelFormatError, match="not a model card") as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("schema",), None),
        (("preprocessing",), []),
        (("preprocessing", "mean"), "grey"),
        (("preprocessing", "mean"), math.nan),
        (("preprocessing", "scale"), 0),  # the engines divide by it
        (("preprocessing", "scale"), math.inf),
        (("preprocessing", "mirror"), "false"),  # which Python takes for true
        (("alignment", "kind"), "oval"),
        (("alignment", "size"), 8),
        (("alignment", "size"), 1e400),
        (("alignment", "points_xy"), [[1, 2]]),
        (("alignment", "points_xy"), [[1, 2, 3]]),
        (("alignment", "points_xy"), 5),
        (("alignment",), {"kind": "similarity", "size": 112, "points_xy": [[math.nan, 0]] * 5}),
        (("embedding_size",), 0),
        (("embedding_size",), -8),
        (("embedding_size",), 10**12),
        (("embedding_size",), None),
        (("embedding_size",), "many"),
    ],
)
def test_card_with_a_wrong_entry(folder: Path, path: tuple[str, ...], value: object) -> None:
    def change(card: Card) -> None:
        for key in path[:-1]:
            card = card[key]
        card[path[-1]] = value

    change_card(folder, change)
    with pytest.raises(ModelFormatError, match=r"card\.json: ") as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    ["schema", "name", "fingerprint", "embedding_size", "architecture", "alignment"],
)
def test_card_without_an_entry(folder: Path, entry: str) -> None:
    change_card(folder, lambda card: card.pop(entry))
    with pytest.raises(ModelFormatError, match=entry):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("preprocessing", {"mean": 0.0}),
        ("preprocessing", {"scale": 1.0}),
        ("preprocessing", {"mirror": True}),
        ("alignment", {"size": 32}),
    ],
)
def test_fingerprint_covers_the_settings(folder: Path, part: str, change: Card) -> None:
    change_card(folder, lambda card: card[part].update(change))
    with pytest.raises(ModelHashError):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("graph.xml", b""),
        ("graph.xml", b"<net"),
        ("graph.xml", b"<?xml version='1.0'?><net name='n' version='11'><layers/><edges/></net>"),
        ("graph.bin", b""),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 100),
        ("model.safetensors", b"\x02" + bytes(7) + b"{}"),
    ],
)
def test_forged_network(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    bundle = stamp(folder)
    with pytest.raises(ModelFormatError) as caught:
        open_engine(Device.CPU).load(bundle.source())
    assert "\n" not in str(caught.value)


def test_torch_form_needs_a_known_architecture(folder: Path) -> None:
    with pytest.raises(ModelFormatError, match="unknown architecture 'tiny'"):
        TorchEngine("cpu").load(load_bundle(folder).source())
    change_card(folder, lambda card: card.update(architecture="compact-2"))
    with pytest.raises(ModelHashError):  # the fingerprint holds the architecture
        load_bundle(folder)
    with pytest.raises(ModelFormatError, match="not weights of compact"):
        TorchEngine("cpu").load(stamp(folder).source())


def test_a_crop_does_not_depend_on_its_batch(tiny_folder: Path) -> None:
    network = open_engine(Device.CPU).load(load_bundle(tiny_folder).source())
    pixels = np.random.default_rng(0).integers(0, 256, (5, TINY_SIZE, TINY_SIZE, 3), np.uint8)
    (together,) = network(pixels)
    for index in range(len(pixels)):
        (alone,) = network(pixels[index : index + 1])
        np.testing.assert_allclose(alone[0], together[index], rtol=1e-4, atol=1e-5)
