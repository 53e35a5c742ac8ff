"""The store of runs: what was measured, where, with what, under which conditions. Append-only, one file, no server."""

from __future__ import annotations

from eamdeploy.runs.store.files import read_runs
from eamdeploy.runs.store.places import content_or_name
from eamdeploy.runs.store.query import RunFilter
from eamdeploy.runs.store.store import STORE_VARIABLE, Store, default_path, open_store
from eamdeploy.runs.store.transfer import Imported, export_runs, import_runs

__all__ = [
    "STORE_VARIABLE",
    "Imported",
    "RunFilter",
    "Store",
    "content_or_name",
    "default_path",
    "export_runs",
    "import_runs",
    "open_store",
    "read_runs",
]
