"""``NAME.card.md``: a model card for the artifacts called NAME, from their manifest and from the runs that measured them.

The header is the front matter of the Hugging Face Hub (https://huggingface.co/docs/hub/model-cards). Every figure carries
where it comes from; what nobody measured is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eamdeploy.base.decoding.manifest import decode_manifest
from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.results import Run

_SUFFIX = ".manifest.json"
_USAGE = """import numpy as np
import onnxruntime
from PIL import Image

size, mean, std = {size}, {mean}, {std}
image = Image.open("picture.png").convert("{mode}").resize((size, size), Image.Resampling.BILINEAR)
pixels = np.asarray(image, np.float32).reshape(size, size, {channels}) / 255
inputs = ((pixels - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
session = onnxruntime.InferenceSession("{file}")
scores = session.run(None, {{session.get_inputs()[0].name: inputs}})[0][0]
print(int(scores.argmax()))"""


def card_path(folder: Path, name: str) -> Path:
    """Where the card of the artifacts called ``name`` is."""
    return folder / f"{name}.card.md"


def write_card(folder: Path, name: str, runs: Iterable[Run] = ()) -> Path:
    """Write the card beside the manifest of ``name``, with the figures of ``runs`` that measured its artifacts.

    Raises:
        UsageError: there is no manifest, or a file cannot be read or written.
    """
    path = folder / f"{name}{_SUFFIX}"
    try:
        manifest = decode_manifest(path.read_bytes(), where=path)
    except OSError as error:
        raise UsageError("cannot read the manifest", where=path, why=error.strerror) from error
    digests = {entry.get("sha256") for entry in manifest["artifacts"]}
    measured = [run for run in runs if run.artifact_sha256 in digests]
    card = card_path(folder, name)
    atomic_write_text(card, render_card(manifest, measured))
    return card


def renew_cards(artifacts: Iterable[Path], runs: Sequence[Run]) -> list[Path]:
    """Put new measurements into the cards that stand beside ``artifacts``; an artifact without a card gets none."""
    renewed: dict[Path, None] = {}
    for folder in dict.fromkeys(Path(artifact).parent for artifact in artifacts):
        for manifest in sorted(folder.glob(f"*{_SUFFIX}")):
            name = manifest.name.removesuffix(_SUFFIX)
            if card_path(folder, name).is_file():
                renewed[write_card(folder, name, runs)] = None
    return list(renewed)


def render_card(manifest: Mapping[str, Any], runs: Sequence[Run]) -> str:
    """The card's text."""
    architecture, classes = manifest.get("architecture") or {}, manifest.get("classes") or []
    name = str(manifest["name"])
    kind = {"eam": "EAM-DyNet", "dynet": "DyNet", "static": "static"}.get(str(architecture.get("conv")), "")
    what = (
        f"{kind} {architecture['arch']} x{architecture['width']}".strip()
        if {"arch", "width"} <= set(architecture)
        else "an image classifier"
    )
    parts = [
        "---\nlicense: other\nlicense_name: stated-by-the-author\npipeline_tag: image-classification\n"
        "library_name: eamdeploy\ntags: [onnx, tflite, dynamic-convolution, edge]\n---\n",
        f"# {name}\n",
        f"{what} for {len(classes)} classes ({_some(classes)}), exported from the checkpoint "
        f"`{manifest['checkpoint']['name']}` (SHA-256 `{str(manifest['checkpoint']['sha256'])[:12]}…`).\n",
        "## Files\n",
        "| file | precision | MB | same function as the checkpoint | made with |\n|---|---|---|---|---|",
        *(_file_row(entry) for entry in manifest["artifacts"]),
        "",
        _measurements(manifest, runs),
        _usage(manifest),
        "## Provenance\n",
        "Every figure says whether it was *measured* on a real machine, *emulated* or *estimated*. The manifest beside this "
        "card holds the plan of every layer, the parity check and all versions.\n",
        "License: state it here and in the header; eamdeploy does not know it.\n",
    ]
    return "\n".join(parts)


def _file_row(entry: Mapping[str, Any]) -> str:
    parity, quantization = entry.get("parity") or {}, entry.get("quantization") or {}
    if parity:
        proof = (
            f"{parity.get('verdict', 'not verified')} on {parity.get('images', 0)} images of {parity.get('data', '')}"
        )
    elif quantization:
        proof = "compared with its float form; see the manifest"
    else:
        proof = "not verified"
    versions = entry.get("versions", {})
    return (
        f"| `{entry['file']}` | {entry['precision']} | {entry['bytes'] / 1e6:.2f} | {proof} | "
        f"eamdeploy {versions.get('eamdeploy', '')} |"
    )


def _measurements(manifest: Mapping[str, Any], runs: Sequence[Run]) -> str:
    if not runs:
        return "## Measurements\n\nNone yet: `eamdeploy bench` adds them here.\n"
    files = {entry["sha256"]: entry["file"] for entry in manifest["artifacts"]}
    lines = [
        "## Measurements\n",
        "| file | device | source | runtime | threads | p50 ms | p90 ms | p99 ms | RAM MB | top-1 % (95 % interval) | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        latency, accuracy = run.latency_ms, run.accuracy
        score = ""
        if accuracy is not None:
            low, high = accuracy.interval
            other = "" if accuracy.metric is None else f" {accuracy.title}"
            score = f"{accuracy.figure:.2f}{other} ({low:.1f}–{high:.1f}), {accuracy.n} images of {accuracy.data}"
        figures = [latency.p50, latency.p90, latency.p99] if latency else [None] * 3
        cells = [
            f"`{files[run.artifact_sha256]}`", run.board or run.device, run.provenance.kind,
            f"{run.provenance.runtime} {run.provenance.runtime_version}".strip(), str(run.threads),
            *("" if value is None else f"{value:.3g}" for value in (*figures, run.memory_mb)), score, run.verdict.state,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _usage(manifest: Mapping[str, Any]) -> str:
    preprocessing = manifest.get("preprocessing") or {}
    first = next((entry for entry in manifest["artifacts"] if entry.get("format") == "onnx"), None)
    if first is None or not preprocessing:
        return f"## Usage\n\n```console\neamdeploy predict {manifest['artifacts'][0]['file']} picture.png\n```\n"
    channels = int(preprocessing.get("channels", 3))
    code = _USAGE.format(
        size=preprocessing["size"], mean=json.dumps(preprocessing["mean"]), std=json.dumps(preprocessing["std"]),
        mode="L" if channels == 1 else "RGB", channels=channels, file=first["file"],
    )  # fmt: skip
    note = ""
    if preprocessing.get("resize"):
        note = (
            f"Images are resized to a short side of {preprocessing['resize']} and cropped at the centre before; "
            "this example only resizes.\n\n"
        )
    return f"## Usage\n\n{note}```python\n{code}\n```\n"


def _some(classes: Sequence[str]) -> str:
    class_text = ", ".join(str(name).replace("|", "\\|") for name in classes[:5])
    return class_text + (", …" if len(classes) > 5 else "")
