"""The document that every artifact carries under the key ``eamdeploy``; :mod:`runtimes.readers.metadata` reads it without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import eamdeploy
from export.exporter.request import ExportedFile
from export.planning.plan import Plan

SCHEMA_VERSION = 1


def artifact_metadata(
    *,
    name: str,
    format: str,  # noqa: A002 - the key's name
    precision: str,
    input_layout: str,
    architecture: Mapping[str, Any],
    classes: Sequence[str],
    preprocessing: Mapping[str, Any],
    plan: Plan,
    exported: ExportedFile,
    checkpoint_sha256: str,
    budget: Mapping[str, Any] | None = None,
    mixing: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that a board needs to use the artifact, and that a report needs to explain it."""
    budget_entry = {} if budget is None else {"budget": _spent(budget)}
    # of layers whose mixing weights do not sum to 1, what a quantizer must know
    bounded = {"mixing": dict(mixing)} if mixing else {}
    labelled = {"head": dict(head)} if head else {}
    return (
        budget_entry
        | bounded
        | labelled
        | {
            "schema_version": SCHEMA_VERSION,
            "name": name,
            "format": format,
            "precision": precision,
            "architecture": dict(architecture),
            "classes": list(classes),
            "preprocessing": dict(preprocessing),
            "target": plan.target.to_dict(),
            "plan": [
                {key: entry[key] for key in ("layer", "kind", "lowering", "shape", "input_hw", "stride")}
                for entry in plan.to_list()
            ],
            "tensors": {kind: dict(group) for kind, group in exported.tensors.items()},
            "checkpoint_sha256": checkpoint_sha256,
            "eamdeploy_version": eamdeploy.__version__,
            "input_layout": input_layout,
        }
    )


def _spent(budget: Mapping[str, Any]) -> dict[str, Any]:
    """Of a spent budget what a verification needs; the manifest has it all."""
    field_names = ("points", "minimize", "original", "original_sha256", "validation", "finetuned")
    choices = {layer["layer"]: layer["choice"] for layer in budget["layers"] if layer["choice"]["kind"] != "exact"}
    return {**{name: budget[name] for name in field_names}, "layers": choices}
