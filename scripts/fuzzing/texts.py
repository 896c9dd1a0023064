"""Lists, JSON documents and recipes, as a person damages them and as somebody who means harm."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import facematch
from facematch.choices import Architecture
from facematch.embedding.bundle import Preprocessing, fingerprint
from facematch.training.recipe import Recipe, recipe_toml
from facematch.types import Alignment
from facematch.workflows.evaluate.records import ListedOutcomes
from facematch.workflows.evaluate.store import comparisons_document
from fuzzing.mutation import mutated

_MODEL = Path(facematch.__file__).parent / "embedding" / "models" / "compact-2"

_WORDS: tuple[str, ...] = (
    *('"', "'", "\\", "/", "../", "..", ".", ",", ";", "\t", "\n", "\r", "\r\n", "\0", "\x1b[2J"),
    *("\u202e", "\ufeff", "\u2028", "\ud7ff", "=1+1", "@", "-", "+", "#", "%s", "{}", "[]", "null"),
    *("[" * 50, "[" * 20_000, "{" * 500, '{"a":' * 9000, "a." * 3000, '"""', "'''", "[[a]]", "a=1"),
    *(
        "NaN",
        "-Infinity",
        "1e999",
        "-1e-999",
        "0x1p3",
        "1_000",
        "9" * 30,
        "9" * 5000,
        "1e" + "9" * 9,
    ),
    *(
        "0",
        "-0",
        "1",
        "-1",
        "0.5",
        "true",
        "false",
        "yes",
        "１",
        "٣",
        "∞",
        "1979-05-27",
        "00:00:00",
    ),
    *(
        "a" * 300,
        "x" * 70_000,
        "é",
        "王",
        "\U0001f4f7",
        "e\u0301" * 40,
        "same",
        "distance",
        "a",
        "b",
    ),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, 5e-324, 2**31, 2**63, 2**64, 10**400),
    *(
        float("nan"),
        float("inf"),
        -float("inf"),
        "",
        "a",
        "\0",
        "\x1b]0;x\x07",
        "\u202e",
        "x" * 5000,
    ),
    *([], {}, [1], [[[]]], {"low": 0}, {"low": 1, "high": 0}, [0.0] * 100, "0" * 64, "cosine"),
    *("isotonic", "logistic", "fmr<=0", "eer", "similarities", "2026-01-01", ["a", "b"], "../../x"),
)

PAIRS = (
    "a,b,same\nx.jpg,y.jpg,1\nx.jpg,z.jpg,0\n",
    "b,same,a,subject_a,subject_b,fold,light\n1,yes,2,Ada,Ada,1,dim\n1,no,3,Ada,Bob,2,\n",
    '"a","b","same"\r\n"x, y.jpg","./z.jpg","true"\r\n"u.jpg","v ""w"".jpg",FALSE\r\n',
    "distance,same\n0.1,1\n1.5,0\n",
    "similarity,same,a,b\n0.9,1,p,q\n-0.1,0,p,r\n",
    "2\nAda\t1\t2\nBob\t1\t3\nAda\t1\tBob\t2\nBob\t4\tEve\t1\n",
    "2\t1\nAda\t1\t2\nAda\t1\tBob\t2\nBob\t1\t3\nBob\t4\tEve\t1\n",
)
MANIFESTS = (
    "subject,path\nAda,ada/1.jpg\nBob,bob.png\n",
    "path,identity\na.png,Ada\nb.png,\n",
    'path,identity,source\n"a, b.png",Ada,one\nc.png,Bob,two\n',
    "identity,path,subject,source\nAda,a.png,Ada,\n",
)


@cache
def recipes() -> tuple[str, ...]:
    """A recipe with everything, and one with little."""
    whole = Recipe(
        data=("faces.zip", "more"), network=Architecture.COMPACT_2, steps=10, freeze=("stem",)
    )
    return recipe_toml(whole), 'data = ["a.zip"]\nsteps = 3\nmargin1 = 0.5\n', "[table]\nx = 1\n"


def calibration_documents() -> tuple[Any, ...]:
    """The bundled calibration, one with the other probability, and one of version 1."""
    document = json.loads((_MODEL / "calibration.json").read_text("utf-8"))
    steps = {"distances": [0.1, 0.4, 0.9], "ratios": [9.0, 1.0, 0.1], "prior": 0.5}
    later = ("scores", "interval_method", "threshold_interval", "n_subjects", "lost_genuine")
    first = {k: v for k, v in document.items() if k not in (*later, "lost_impostor", "seed")}
    return (
        document,
        document | {"match_probability": {"method": "isotonic", **steps}},
        first | {"schema_version": 1},
    )


def result_documents() -> tuple[Any, ...]:
    """The result of an evaluation, with and without subjects."""
    same = np.array([True, False, True, False])
    distances = np.array([0.1, 1.2, np.inf, 0.7])
    codes, folds = np.array([0, 1, 2, 0]), np.array([0, 0, 1, -1])
    head = {"schema_version": 2, "task": "verification", "scores": "photographs", "model": "m"}
    head |= {"model_fingerprint": "0" * 64, "failures_to_acquire": 1}
    return tuple(
        head
        | {
            "comparisons": comparisons_document(
                ListedOutcomes("0" * 64, same, distances, same, folds, True, subjects, subjects)
            )
        }
        for subjects in (codes, None)
    )


def card_documents() -> tuple[Any, ...]:
    """Cards of bundles; the hashes are filled in when the files are there."""
    card = json.loads((_MODEL / "card.json").read_text("utf-8"))
    return card, card | {"alignment": {"kind": "box", "size": 24, "points_xy": []}}


def stamped_card(content: bytes, hashes: dict[str, str]) -> bytes:
    """The card with the hashes of the files, and the fingerprint if it has one."""
    try:
        card = json.loads(content)
        card["files"] = hashes
        alignment = Alignment(**card["alignment"])
        preprocessing = Preprocessing(**card["preprocessing"])
        weights = hashes["model.safetensors"]
        card["fingerprint"] = fingerprint(
            weights, str(card["architecture"]), preprocessing, alignment
        )
        return json.dumps(card).encode()
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return content


def text_case(seeds: Callable[[], tuple[str, ...]], rng: random.Random) -> bytes:
    """A text with words put in, lines repeated, and sometimes bytes changed."""
    texts = seeds()
    text = rng.choice(texts)
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(text) + 1)
        match rng.randrange(4):
            case 0:
                text = text[:at] + rng.choice(_WORDS) + text[at:]
            case 1:
                text = text[:at] + rng.choice(_WORDS) + text[at + rng.randint(1, 6) :]
            case 2:
                lines = text.split("\n")
                lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
                text = "\n".join(lines * rng.choice((1, 1, 1, 30)))
            case _:
                fields = text.split(",")
                rng.shuffle(fields)
                text = ",".join(fields)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.3 and content:
        content = mutated(rng, content, [t.encode() for t in texts])
    return content


def json_case(documents: Callable[[], tuple[Any, ...]], rng: random.Random) -> bytes:
    """A document with values that do not belong, or its text changed."""
    found = documents()
    if rng.random() < 0.25:
        texts = tuple(json.dumps(document, indent=1) for document in found)
        return text_case(lambda: texts, rng)
    document = json.loads(json.dumps(rng.choice(found)))
    for _ in range(rng.randint(1, 3)):
        _change(rng, document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _change(rng: random.Random, node: Any) -> None:
    """Replace, take away or add one member somewhere in the document."""
    while True:
        members = list(node) if isinstance(node, dict) else range(len(node))
        if not members:
            return
        key = rng.choice(members)
        inner = node[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            node = inner
            continue
        draw = rng.random()
        if draw < 0.15:
            del node[key]
        elif draw < 0.2 and isinstance(node, dict):
            node[rng.choice(_WORDS)] = deepcopy(rng.choice(_VALUES))
        elif isinstance(inner, int | float) and draw < 0.5:
            node[key] = inner * rng.choice((-1, 0, 2, 1e300, 0.999, 1.001))
        else:
            node[key] = deepcopy(rng.choice(_VALUES))
        return


calibration_case = partial(json_case, cache(calibration_documents))
result_case = partial(json_case, cache(result_documents))
card_case = partial(json_case, cache(card_documents))
recipe_case = partial(text_case, recipes)
pairs_case = partial(text_case, lambda: PAIRS)
manifest_case = partial(text_case, lambda: MANIFESTS)
