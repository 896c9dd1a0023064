"""Changes to a file that is right, some of which make it wrong in a way nobody thought of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

LARGEST_CASE = 1 << 18

# Where arithmetic on sizes goes over: around the powers of two, and zero.
_INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 64, 100, 127, 128, 255, 256, 257, 512, 1000)
_INTERESTING += (1024, 4095, 4096, 10_000, 30_000, 32_767, 32_768, 65_535, 65_536, 100_000)
_INTERESTING += (2**20, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**63, 2**64 - 1)
_HEAD_BYTES = 128

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(
    rng: random.Random,
    seed: bytes,
    others: Sequence[bytes],
    hot: Sequence[int] = (),
    *,
    most: int = 6,
) -> bytes:
    """A copy of ``seed`` with one to ``most`` changes.

    Args:
        rng: all that is random comes from it.
        seed: a file that is right.
        others: what parts are taken from.
        hot: offsets that are worth more than others; half of the changes go there.
        most: changes.
    """
    data = bytearray(seed)
    for _ in range(rng.randint(1, most)):
        if not data:
            break
        if hot and rng.random() < 0.5:
            _overwrite(rng, data, rng.choice(hot))
        else:
            rng.choice(_MUTATIONS)(rng, data, others)
    del data[LARGEST_CASE:]
    return bytes(data)


def _place(rng: random.Random, data: bytearray) -> int:
    """Headers are where one byte changes the meaning of all others."""
    if rng.random() < 0.5:
        return rng.randrange(min(len(data), _HEAD_BYTES))
    return rng.randrange(len(data))


def _overwrite(rng: random.Random, data: bytearray, at: int) -> None:
    if at >= len(data):
        return
    if rng.random() < 0.5:
        data[at] ^= 1 << rng.randrange(8)
    else:
        _put_integer(rng, data, at)


def _put_integer(rng: random.Random, data: bytearray, at: int) -> None:
    width = rng.choice((1, 2, 2, 4, 4, 8))
    value = rng.choice(_INTERESTING)
    if rng.random() < 0.3:
        value = int.from_bytes(data[at : at + width], "little") + rng.randint(-3, 3)
    order = "little" if rng.random() < 0.5 else "big"
    written = (value % (1 << 8 * width)).to_bytes(width, order)[: len(data) - at]
    data[at : at + len(written)] = written


def _flip_bit(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set_byte(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    data[_place(rng, data)] = rng.randrange(256)


def _set_integer(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    _put_integer(rng, data, _place(rng, data))


def _truncate(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]


def _delete(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start = _place(rng, data)
    del data[start : start + _length(rng, data)]


def _duplicate(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start = _place(rng, data)
    piece = data[start : start + _length(rng, data)]
    times = rng.choice((1, 1, 1, 2, 10, 500))
    data[start:start] = (piece * times)[:LARGEST_CASE]


def _move(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, target = _place(rng, data), _place(rng, data)
    piece = data[start : start + _length(rng, data)]
    data[target : target + len(piece)] = piece


def _fill(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, length = _place(rng, data), _length(rng, data)
    data[start : start + length] = bytes([rng.choice((0, 255, rng.randrange(256)))]) * length


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """The beginning of one file and the end of another: half of the polyglots are that."""
    other = rng.choice(others)
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


def _insert_other(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    start = rng.randrange(len(other))
    at = _place(rng, data)
    data[at:at] = other[start : start + _length(rng, bytearray(other))]


def _length(rng: random.Random, data: bytearray) -> int:
    return rng.choice((1, 2, 4, 8, 16, 64, rng.randint(1, max(1, len(data) // 2))))


_MUTATIONS: tuple[Mutation, ...] = (
    *(_flip_bit, _flip_bit, _set_byte, _set_integer, _set_integer, _set_integer, _truncate),
    *(_delete, _duplicate, _move, _fill, _splice, _insert_other),
)
