"""Every kind of input that comes from elsewhere: a good one, how it is damaged, and the code that reads it."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fuzz import mutations

Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: for the table.
        good: makes a good one in a folder.
        damage: makes a bad one of it.
        suffix: of the file it is read from.
        read: reads it, as the product does; an error of the product's own is a refusal.
        native: whether code that is not Python reads it too.
    """

    name: str
    good: Callable[[Path], bytes]
    damage: Damage
    suffix: str
    read: Callable[[Path], Any]
    native: bool = False


def _run() -> dict[str, Any]:
    from tests.eamdeploy.runs.store.crafted import GOOD

    return GOOD


def _store_row(path: Path) -> None:
    from eamdeploy.runs.report import collect, render_markdown
    from eamdeploy.runs.store import import_runs, open_store

    folder = path.parent
    store = open_store(folder / "row.db")
    if not store.path.exists():
        (folder / "seed.jsonl").write_bytes(_export(folder))
        import_runs(store, folder / "seed.jsonl")
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER IF EXISTS runs_no_UPDATE")
        text = path.read_bytes().decode("utf-8", "replace")
        connection.execute("UPDATE runs SET document = ?", (text,))
    material = collect(store)
    render_markdown(material, "t")


def _export(_: Path) -> bytes:
    lines = [{"format": "eamdeploy-runs", "format_version": 1}, {"run": _run(), "manifest": _manifest_document()}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _import(path: Path) -> None:
    from eamdeploy.runs.report import collect, render_markdown
    from eamdeploy.runs.store import import_runs, open_store

    database = path.with_name("imported.db")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    store = open_store(database)
    import_runs(store, path)
    if store.path.exists():
        render_markdown(collect(store), "t")


def _baseline(path: Path) -> None:
    from eamdeploy.runs.compare import compare_runs
    from eamdeploy.runs.store import read_runs

    for run in read_runs(path):
        compare_runs(run, run)


def _manifest_document() -> dict[str, Any]:
    return {
        "schema_version": 1, "name": "net", "checkpoint": {"name": "net", "sha256": "a" * 64}, "architecture": {},
        "classes": ["x", "y"], "preprocessing": {"size": 32},
        "artifacts": [{
            "file": "model.onnx", "format": "onnx", "precision": "fp32", "bytes": 3, "sha256": "ab" * 32,
            "parity": {"verdict": "passed", "images": 3, "flips": 0, "outputs": [{"name": "y", "snr_db": 90.0}]},
            "plan": [{"layer": "a", "kind": "full", "shape": [1, 2], "lowering": "x", "measured_ms": {"x": 1.0}}],
            "quantization": {"layers": [{"snr_db": 3.0}], "images": 3}, "notes": ["n"],
        }],
    }  # fmt: skip


def _manifest(path: Path) -> None:
    from export.manifest.document import read_manifest

    read_manifest(path)


def _preprocessing(path: Path) -> None:
    from eamdeploy.inference.foreign import read_preprocessing

    read_preprocessing(str(path))


def _labels(path: Path) -> None:
    from eamdeploy.data.class_list import read_class_list

    read_class_list(path)


def _class_map(path: Path) -> None:
    from eamdeploy.data.class_map import read_class_map

    read_class_map(path)


def _boards(path: Path) -> None:
    from devices.boards.registry import BoardRegistry

    for board in BoardRegistry(path).boards():
        str(board.target) if not board.emulated else board.name


def _settings(path: Path) -> None:
    import typer

    from eamdeploy.cli.app import build_app
    from eamdeploy.cli.options import config

    _ROOT.append(typer.main.get_command(build_app())) if not _ROOT else None
    config.default_map(_ROOT[0], str(path))


_ROOT: list[Any] = []


def _board_answer(operation: str, asked: dict[str, Any]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from devices.session.messages import BadMessage, read_answer, read_line

        for line in path.read_bytes().decode("utf-8", "replace").split("\n"):
            try:
                found = read_line("@eamdeploy " + line, "board")
            except BadMessage as bad:
                raise bad.error from bad
            if found is not None:
                read_answer(operation, asked, found[1], "board")

    return read


def _good_answer(message: dict[str, Any]) -> Callable[[Path], bytes]:
    def make(_: Path) -> bytes:
        from tests.devices.session.lying import honest

        return json.dumps(honest(message)).encode()

    return make


def _metadata(path: Path) -> None:
    from eamdeploy.inference.model_card import read_card
    from runtimes.readers.metadata import read_metadata

    read_metadata(path)
    read_card(path)


def _operators(path: Path) -> None:
    from runtimes.readers.tflite_file import read_operators

    read_operators(path)


def _graph(path: Path) -> None:
    from devices.latency.graph.extract import extract_features

    extract_features(path)


def _predict(path: Path) -> None:
    from PIL import Image

    from eamdeploy.inference.predict import predict

    picture = path.with_name("picture.png")
    if not picture.exists():
        Image.new("RGB", (8, 8)).save(picture)
    list(predict(path, [picture]))


def _artifact(suffix: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        from tests.runtimes import tiny_models

        path = folder / f"good{suffix}"
        if suffix == ".onnx":
            tiny_models.write_onnx(path, metadata=tiny_models.metadata())
        else:
            tiny_models.write_tflite(path, metadata=tiny_models.metadata(format="tflite", input_layout="NHWC"))
        return path.read_bytes()

    return make


def _ncnn_good(_: Path) -> bytes:
    lines = (
        "7767517", "3 3", "Input input 0 1 input 0=2 1=2 2=1", "Reshape flat 1 1 input flat 0=4",
        "InnerProduct fc 1 1 flat scores 0=3 1=0 2=12", '# eamdeploy {"format": "ncnn", "name": "n"}', '# outputs ["scores"]',
    )  # fmt: skip
    return "\n".join(lines).encode()


def _ncnn(path: Path) -> None:
    from runtimes.readers.metadata import read_metadata
    from runtimes.readers.ncnn_file import read_param

    read_param(path)
    read_metadata(path)


def _training_state_good(folder: Path) -> bytes:
    import torch

    from eamdeploy.training.loop.state import TrainingState

    state = TrainingState(3, [{"loss": 1.0}], {"lr": 0.1}, weights={"a": torch.zeros(2)})
    state.save(folder / "state.safetensors")
    return (folder / "state.safetensors").read_bytes()


def _training_state(path: Path) -> None:
    from eamdeploy.training.loop.state import TrainingState

    TrainingState.load(path)


def _checkpoint_good(_: Path) -> bytes:
    from eamdeploy.networks.zoo.shipped import resolve_checkpoint

    return resolve_checkpoint("fashion-mnist-v1x0.25-eam-rcr").read_bytes()


def _checkpoint(path: Path) -> None:
    from eamdeploy.data.preprocessing import Preprocessing
    from eamdeploy.networks.checkpoint_header import read_document
    from eamdeploy.networks.spec import ArchSpec

    document = read_document(path)
    ArchSpec.from_dict(document["architecture"])
    Preprocessing.from_dict(document["preprocessing"])


def _attention(path: Path) -> None:
    from eamdeploy.runs.report.content.attention import attention_table, read_attention
    from eamdeploy.runs.report.model import Names

    attention_table(Names(), [read_attention(path)])


def _attention_good(_: Path) -> bytes:
    layer = {
        "layer": "a",
        "movement": 0.1,
        "movement_max": 0.2,
        "effective_rank": 3.0,
        "distance": 0.1,
        "distance_max": 0.2,
    }
    document = {"schema": "eamdeploy/attention", "schema_version": 1, "checkpoint": "c", "images": 3, "data": "d"}
    return json.dumps({**document, "sentence": "s", "layers": [layer]}).encode()


def _idx(path: Path) -> None:
    from eamdeploy.data.formats.idx import read_idx

    read_idx(path)


def _idx_good(_: Path) -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(32)


def _picture(path: Path) -> None:
    from eamdeploy.data.picture import eight_bits, read_image

    eight_bits(read_image(path))


def _picture_good(folder: Path) -> bytes:
    from PIL import Image

    path = folder / "good.png"
    Image.effect_noise((16, 16), 50).convert("RGB").save(path)
    return path.read_bytes()


def _calibration(path: Path) -> None:
    from devices.latency.model.calibration import read_calibration

    read_calibration(path)


def _calibration_good(_: Path) -> bytes:
    from importlib import resources

    folder = resources.files("devices.latency").joinpath("data/calibrations")
    smallest = min(
        (file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda f: len(f.read_bytes())
    )
    return smallest.read_bytes()


def _text(content: str | dict[str, Any]) -> Callable[[Path], bytes]:
    return lambda _: (content if isinstance(content, str) else json.dumps(content)).encode()


_BOARDS = '[boards."a"]\nprofile = "pi4"\nhost = "pi@192.0.2.1:22"\npython = "python3"\n'
_SETTINGS = (
    '[bench]\nthreads = 4\nruns = 3\nxnnpack = true\n[report]\nout = "r.html"\ntitle = "t"\n[gate]\ncurrent = ["a"]\n'
)
_PREPROCESSING = {"size": 32, "mean": [0.5], "std": [0.5], "channels": 1}
_MEASURE: dict[str, Any] = {"op": "measure", "id": 1, "worker": "w", "limits": {"min_samples": 10, "max_samples": 10}}
_INFER: dict[str, Any] = {
    "op": "infer", "id": 1, "worker": "w", "pixels": "AAAA" * 64, "images": [1, 8, 8, 3], "scale": [1.0] * 3, "shift": [0.0] * 3,
}  # fmt: skip

KINDS: tuple[Kind, ...] = (
    Kind("row of the store", lambda _: json.dumps(_run()).encode(), mutations.json_text, ".json", _store_row),
    Kind("history import", _export, mutations.json_lines, ".jsonl", _import),
    Kind("history import, packed", lambda f: gzip.compress(_export(f)), mutations.any_bytes, ".jsonl.gz", _import),
    Kind("baseline", lambda _: json.dumps({"runs": [_run()]}).encode(), mutations.json_text, ".json", _baseline),
    Kind("manifest", _text(_manifest_document()), mutations.json_text, ".json", _manifest),
    Kind("preprocessing", _text(_PREPROCESSING), mutations.json_text, ".json", _preprocessing),
    Kind("labels", _text("cat\ndog\nt-shirt/top\n"), mutations.lines, ".txt", _labels),
    Kind("class map", _text({"a": 1, "b": "dog"}), mutations.json_text, ".json", _class_map),
    Kind("boards.toml", _text(_BOARDS), mutations.lines, ".toml", _boards),
    Kind("eamdeploy.toml", _text(_SETTINGS), mutations.lines, ".toml", _settings),
    *(
        Kind(f"board: {op}", _good_answer({**message, "op": op}), mutations.json_text, ".txt", _board_answer(op, message))
        for op, message in (
            ("load", {"id": 1}), ("measure", _MEASURE), ("infer", _INFER), ("facts", {"id": 1}), ("conditions", {"id": 1}),
        )
    ),
    Kind("metadata in .onnx", _artifact(".onnx"), mutations.protobuf, ".onnx", _metadata),
    Kind("metadata in .tflite", _artifact(".tflite"), mutations.any_bytes, ".tflite", _metadata),
    Kind("operators of .tflite", _artifact(".tflite"), mutations.words, ".tflite", _operators),
    Kind("graph of .onnx", _artifact(".onnx"), mutations.protobuf, ".onnx", _graph),
    Kind("graph of .tflite", _artifact(".tflite"), mutations.words, ".tflite", _graph),
    Kind("graph of ncnn", _ncnn_good, mutations.lines, ".ncnn.param", _ncnn),
    Kind("checkpoint", _checkpoint_good, mutations.safetensors, ".safetensors", _checkpoint),
    Kind("attention file", _attention_good, mutations.json_text, ".json", _attention),
    Kind("IDX data", _idx_good, mutations.any_bytes, ".idx", _idx),
    Kind("picture", _picture_good, mutations.any_bytes, ".png", _picture),
    Kind("calibration", _calibration_good, mutations.json_text, ".json", _calibration),
    Kind("training state", _training_state_good, mutations.any_bytes, ".safetensors", _training_state, native=True),
    Kind("predict with .onnx", _artifact(".onnx"), mutations.protobuf, ".onnx", _predict, native=True),
    Kind("predict with .tflite", _artifact(".tflite"), mutations.words, ".tflite", _predict, native=True),
)  # fmt: skip
