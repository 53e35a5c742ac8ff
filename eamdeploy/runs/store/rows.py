"""A run as the rows it is stored in, and back: the document without its bulk, samples as binary columns."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from eamdeploy.base.decoding import TimedRun, check_run, convert, decode, decode_timed_run
from eamdeploy.base.errors import StoreError, UsageError
from eamdeploy.base.results import Run, SensorSample
from eamdeploy.base.values import Count, Milliseconds

_UNREADABLE = "a stored run cannot be read"
_HINT = "set it aside with: eamdeploy history quarantine"
_Samples = tuple[Milliseconds, ...]
_Block = tuple[Count, ...]


def text_of(run: Run) -> str:
    """The whole run as strict JSON: what is not a number is null, as everything absent is."""
    try:
        return msgspec.json.encode(run, enc_hook=_plain).decode()
    except UnicodeEncodeError:
        # a file name that is not UTF-8: its bytes are written out
        values = msgspec.to_builtins(run, enc_hook=_plain)
        return msgspec.json.encode(_encodable(values)).decode()


def light(run: Run) -> Run:
    """The run without its bulk: latency samples and sensor readings."""
    latency = run.latency_ms and dataclasses.replace(run.latency_ms, samples=(), block=())
    return dataclasses.replace(run, latency_ms=latency, conditions=dataclasses.replace(run.conditions, samples=()))


def insert(connection: sqlite3.Connection, run: Run, stored_at: str, manifest: str | None) -> None:
    """Insert one run with all that belongs to it; the caller holds the transaction."""
    run = encodable(run)
    latency, name = run.latency_ms, Path(run.artifact).name
    connection.execute(
        "INSERT OR IGNORE INTO artifacts (sha256, name, format, bytes, manifest) VALUES (?, ?, ?, ?, ?)",
        (run.artifact_sha256, name, run.format, run.bytes, manifest),
    )
    if manifest:
        connection.execute(
            "UPDATE artifacts SET manifest = ? WHERE sha256 = ? AND manifest IS NULL", (manifest, run.artifact_sha256)
        )
    row = {
        "id": run.id,
        "stored_at": stored_at,
        "measured_at": run.provenance.when or stored_at,
        "device": run.device,
        "board": run.board,
        "runtime": run.runtime,
        "threads": run.threads,
        "precision": run.precision,
        "provenance": run.provenance.kind,
        "verdict": run.verdict.state,
        "artifact_name": name,
        "artifact_sha256": run.artifact_sha256,
        "git_commit": run.git_commit,
        "run_group": run.group,
        "p50_ms": run.latency_ms.p50 if run.latency_ms else None,
        "top1": run.accuracy.top1 if run.accuracy else None,
        "document": text_of(light(run)),
    }
    columns = ", ".join(row)
    marks = ", ".join(f":{column}" for column in row)
    connection.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", row)  # noqa: S608  # names are the literals above
    connection.execute(
        "INSERT INTO samples (run_id, latency_ms, block) VALUES (?, ?, ?)",
        (
            run.id,
            np.asarray(latency.samples if latency else (), "<f8").tobytes(),
            np.asarray(latency.block if latency else (), "<i4").tobytes(),
        ),
    )
    connection.executemany(
        "INSERT INTO conditions (run_id, position, reading) VALUES (?, ?, ?)",
        [
            (run.id, position, msgspec.json.encode(reading, enc_hook=_plain).decode())
            for position, reading in enumerate(run.conditions.samples)
        ],
    )


def load(connection: sqlite3.Connection, run_id: str, document: object) -> Run:
    """The run with its samples and readings.

    Raises:
        StoreError: when the row is not what this program would write; with the field and the value.
    """
    try:
        run = _decoded(run_id, document)
        row = connection.execute("SELECT latency_ms, block FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        if run.latency_ms is not None and row:
            samples = convert(_Samples, tuple(np.frombuffer(row[0], "<f8").tolist()), where="latency_ms.samples")
            block = convert(_Block, tuple(np.frombuffer(row[1], "<i4").tolist()), where="latency_ms.block")
            run = dataclasses.replace(run, latency_ms=dataclasses.replace(run.latency_ms, samples=samples, block=block))
        texts = connection.execute("SELECT reading FROM conditions WHERE run_id = ? ORDER BY position", (run_id,))
        readings = tuple(decode(SensorSample, _text(text), where="conditions.samples") for (text,) in texts)
        run = dataclasses.replace(run, conditions=dataclasses.replace(run.conditions, samples=readings))
        return check_run(run, where=run_id)
    except (UsageError, ValueError, TypeError) as error:
        raise _unreadable(run_id, error) from error


def load_light(run_id: str, document: object) -> Run:
    """The run without its samples and readings: all that a list shows.

    Raises:
        StoreError: when the row is not what this program would write; with the field and the value.
    """
    try:
        return check_run(_decoded(run_id, document), where=run_id)
    except (UsageError, ValueError, TypeError) as error:
        raise _unreadable(run_id, error) from error


def load_timed(run_id: str, document: object) -> TimedRun:
    """What the row says of the run's latency.

    Raises:
        StoreError: when that is not what this program would write; with the field and the value.
    """
    try:
        run = decode_timed_run(_text(document), where=run_id)
        if run.id != run_id:
            raise ValueError(f"it calls itself '{run.id}'")
    except (UsageError, ValueError, TypeError) as error:
        raise _unreadable(run_id, error) from error
    return run


def _decoded(run_id: object, document: object) -> Run:
    run = decode(Run, _text(document), where=run_id)
    if run.id != run_id:
        raise ValueError(f"it calls itself '{run.id}'")
    return run


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it is not text")
    return value


def _unreadable(run_id: object, error: Exception) -> StoreError:
    if isinstance(error, UsageError):
        return StoreError(_UNREADABLE, where=error.where or run_id, why=error.why, hint=_HINT)
    return StoreError(_UNREADABLE, where=run_id, why=error, hint=_HINT)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def encodable(run: Run) -> Run:
    """The run, with the bytes of texts that are not UTF-8 (a file name may be any bytes) written out."""
    try:
        msgspec.json.encode(light(run), enc_hook=_plain)
    except UnicodeEncodeError:
        return decode(Run, text_of(run), where=run.id)
    return run


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(item) for item in value]
    return value
