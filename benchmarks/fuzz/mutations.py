"""Small, telling damage: to any bytes, and to the structures of JSON, protobuf, FlatBuffers and safetensors."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

_WORDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NUMBERS = (0, -1, 1, 0.5, -0.0, 1e300, 1e-300, 2**31, 2**63, 2**70, 10**30, True, False)
_TEXTS = (
    "",
    "\0",
    "\x1b[2J",
    "a\nb",
    "x" * 70_000,
    "../../etc/passwd",
    "::error::x",
    "\u202e",
    "NaN",
    "2999-01-01",
    "-1",
)
_RAW = ("NaN", "Infinity", "-Infinity", "1e999", "[" * 5000, "{", "", '"\\ud800"', "01", "nul", "/*x*/", "\ufeff")


def any_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bits, bytes, pieces: what a bad disk, a cut link or a careless editor does."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not data:
            return bytes(rng.randrange(256) for _ in range(8))
        at = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + rng.randrange(1, 32)]
        elif kind == 4:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 16)))
        elif kind == 5:
            piece = data[at : at + rng.randrange(1, 64)]
            data[at:at] = piece * rng.choice((1, 2, 50))
        else:
            data[at : at + 4] = struct.pack("<I", rng.choice(_WORDS))
    return bytes(data)


def json_text(content: bytes, rng: random.Random) -> bytes:
    """A value of another type, size or sign; a key more, less or misspelt; nesting; or a text that is not JSON at all."""
    if rng.random() < 0.15:
        return any_bytes(content, rng)
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document = _changed(document, rng)
    text = json.dumps(document)
    if rng.random() < 0.15:
        numbers = [at for at, letter in enumerate(text) if letter.isdigit()] or [0]
        at = rng.choice(numbers)
        text = text[:at] + rng.choice(_RAW) + text[at + 1 :]
    return text.encode("utf-8", "surrogatepass")


def json_lines(content: bytes, rng: random.Random) -> bytes:
    """One line of several damaged, dropped, doubled or joined with the next."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    elif lines[at].strip():
        lines[at] = json_text(lines[at], rng)
    return b"\n".join(lines)


def words(content: bytes, rng: random.Random) -> bytes:
    """FlatBuffers: offsets, lengths and sizes are aligned words; one or two become others."""
    if rng.random() < 0.25 or len(content) < 8:
        return any_bytes(content, rng)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2))):
        if rng.random() < 0.7:
            at = rng.randrange(len(data) // 4) * 4
            (old,) = struct.unpack_from("<I", data.ljust(at + 4, b"\0"), at)
            new = rng.choice((*_WORDS, old + 1, old - 1, old * 2, len(data), len(data) - 4)) & 0xFFFFFFFF
            data[at : at + 4] = struct.pack("<I", new)
        else:
            at = rng.randrange(len(data) // 2) * 2
            data[at : at + 2] = struct.pack("<H", rng.choice(_WORDS) & 0xFFFF)
    return bytes(data)


def protobuf(content: bytes, rng: random.Random) -> bytes:
    """Tags, varints and lengths: bytes with and without the bit that goes on, fields doubled or cut."""
    if rng.random() < 0.4:
        return any_bytes(content, rng)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] ^= 0x80
        elif kind == 1:
            data[at : at + 1] = b"\xff" * rng.choice((1, 5, 9, 10, 11, 200)) + b"\x01"
        elif kind == 2:
            data[at] = (rng.randrange(32) << 3) | rng.randrange(8)
        else:
            data[at:at] = data[at : at + rng.randrange(1, 200)]
    return bytes(data)


def safetensors(content: bytes, rng: random.Random) -> bytes:
    """The header's length, its JSON (with a length that fits, or does not), or the weights."""
    length = int.from_bytes(content[:8], "little")
    header, weights = content[8 : 8 + length], content[8 + length :]
    kind = rng.randrange(5)
    if kind == 0:
        return any_bytes(content[: 8 + length], rng) + weights
    if kind == 1:
        return rng.choice((length + 1, 0, 2**63, 2**64 - 1, length * 2)).to_bytes(8, "little") + content[8:]
    if kind == 2:
        document = json.loads(header)
        inner = json.loads(document["__metadata__"]["eamdeploy"])
        document["__metadata__"]["eamdeploy"] = json.dumps(_changed(inner, rng))
        header = json.dumps(document).encode()
    else:
        header = json_text(header, rng)
    return (len(header) if rng.random() < 0.9 else length).to_bytes(8, "little") + header + weights


def lines(content: bytes, rng: random.Random) -> bytes:
    """TOML, labels, .param: a line's value replaced, dropped, doubled or moved."""
    if rng.random() < 0.3:
        return any_bytes(content, rng)
    rows = content.split(b"\n")
    at = rng.randrange(len(rows))
    kind = rng.randrange(5)
    if kind == 0:
        del rows[at]
    elif kind == 1:
        rows.insert(rng.randrange(len(rows)), rows[at])
    elif kind == 2:
        name = rows[at].partition(b"=")[0]
        rows[at] = (
            name
            + b"= "
            + rng.choice((b"3", b"'x'", b"[]", b"{}", b"true", b"1e999", b"nan", b'"\\u0000"', b"[" * 3000))
        )
    elif kind == 3:
        parts = rows[at].split(b" ")
        parts[rng.randrange(len(parts))] = rng.choice((b"-1", b"99999999999", b"", b"x", b"0=1e30", b"\xff"))
        rows[at] = b" ".join(parts)
    else:
        rows[at] = rng.choice(_TEXTS).encode("utf-8", "surrogatepass")
    return b"\n".join(rows)


def _changed(document: Any, rng: random.Random) -> Any:
    places: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            places.extend((value, key) for key in value)
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            picked = range(len(value)) if len(value) < 20 else rng.sample(range(len(value)), 20)
            places.extend((value, index) for index in picked)
            for index in picked:
                collect(value[index])

    collect(document)
    if not places or rng.random() < 0.02:
        return rng.choice((*_NUMBERS, *_TEXTS, None, [], {}))
    holder, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[f"{key}s"] = holder.pop(key)
    elif kind == 2:
        deep: Any = holder[key]
        for _ in range(rng.choice((2, 70, 300))):
            deep = [deep]
        holder[key] = deep
    elif kind == 3 and isinstance(holder[key], (int, float)):
        holder[key] = -holder[key]
    elif kind == 4 and isinstance(holder[key], list):
        holder[key] = holder[key] * rng.choice((0, 2, 1000))
    else:
        holder[key] = rng.choice((*_NUMBERS, *_TEXTS, None, [], {}, [[]], {"a": None}))
    return document
