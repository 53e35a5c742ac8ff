"""A run as the rows it is stored in, and back: the document without its bulk, samples as binary columns."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from eamdeploy.base.errors import StoreError
from eamdeploy.base.results import Run, from_dict, to_dict


def document_of(run: Run) -> dict[str, Any]:
    """The whole run as strict JSON values: what is not a number is null, as everything absent is."""
    finite: dict[str, Any] = _finite(to_dict(run))
    return finite


def split(document: dict[str, Any]) -> tuple[dict[str, Any], list[float], list[int], list[dict[str, Any]]]:
    """The document without its bulk, the latency samples, their blocks, and the sensor readings."""
    latency = document.get("latency_ms") or {}
    conditions = document.get("conditions") or {}
    light = dict(document)
    if latency:
        light["latency_ms"] = {**latency, "samples": [], "block": []}
    if conditions:
        light["conditions"] = {**conditions, "samples": []}
    return light, latency.get("samples") or [], latency.get("block") or [], conditions.get("samples") or []


def insert(connection: sqlite3.Connection, run: Run, stored_at: str, manifest: str | None) -> None:
    """Insert one run with all that belongs to it; the caller holds the transaction."""
    light, samples, block, readings = split(document_of(run))
    name = Path(run.artifact).name
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
        "document": json.dumps(light, allow_nan=False),
    }
    columns = ", ".join(row)
    marks = ", ".join(f":{column}" for column in row)
    connection.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", row)  # noqa: S608  # names are the literals above
    connection.execute(
        "INSERT INTO samples (run_id, latency_ms, block) VALUES (?, ?, ?)",
        (run.id, np.asarray(samples, "<f8").tobytes(), np.asarray(block, "<i4").tobytes()),
    )
    connection.executemany(
        "INSERT INTO conditions (run_id, position, reading) VALUES (?, ?, ?)",
        [(run.id, position, json.dumps(reading)) for position, reading in enumerate(readings)],
    )


def load(connection: sqlite3.Connection, run_id: str, document: str) -> Run:
    """The run with its samples and readings.

    Raises:
        StoreError: when the row is not what this program wrote.
    """
    with _readable(run_id):
        values = json.loads(document)
        row = connection.execute("SELECT latency_ms, block FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        if values.get("latency_ms") and row:
            values["latency_ms"]["samples"] = np.frombuffer(row[0], "<f8").tolist()
            values["latency_ms"]["block"] = np.frombuffer(row[1], "<i4").tolist()
        readings = connection.execute("SELECT reading FROM conditions WHERE run_id = ? ORDER BY position", (run_id,))
        if values.get("conditions"):
            values["conditions"]["samples"] = [json.loads(reading) for (reading,) in readings]
        return from_dict(Run, values)


def load_light(run_id: str, document: str) -> Run:
    """The run without its samples and readings: all that a list shows.

    Raises:
        StoreError: when the row is not what this program wrote.
    """
    with _readable(run_id):
        return from_dict(Run, json.loads(document))


@contextlib.contextmanager
def _readable(run_id: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError("a stored run cannot be read", where=run_id, why=error) from error


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
