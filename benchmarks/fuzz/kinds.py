"""Every kind of input that comes from elsewhere: a good one, how it is damaged, and the code that reads it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fuzz import mutations, readers, samples

Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class InputKind:
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


KINDS: tuple[InputKind, ...] = (
    InputKind("row of the store", samples.text(samples.run()), mutations.json_text, ".json", readers.store_row),
    InputKind("row for calibrating", samples.text(samples.run()), mutations.json_text, ".json", readers.timed_row),
    InputKind("history import", samples.exported_runs, mutations.json_lines, ".jsonl", readers.import_history),
    InputKind("history import, packed", samples.packed_runs, mutations.any_bytes, ".jsonl.gz", readers.import_history),
    InputKind("baseline", samples.text({"runs": [samples.run()]}), mutations.json_text, ".json", readers.baseline),
    InputKind("manifest", samples.text(samples.manifest_document()), mutations.json_text, ".json", readers.manifest),
    InputKind("preprocessing", samples.text(samples.PREPROCESSING), mutations.json_text, ".json", readers.preprocessing),
    InputKind("labels", samples.text("cat\ndog\nt-shirt/top\n"), mutations.lines, ".txt", readers.labels),
    InputKind("class map", samples.text({"a": 1, "b": "dog"}), mutations.json_text, ".json", readers.class_map),
    InputKind("boards.toml", samples.text(samples.BOARDS), mutations.lines, ".toml", readers.boards),
    InputKind("eamdeploy.toml", samples.text(samples.SETTINGS), mutations.lines, ".toml", readers.settings),
    *(
        InputKind(
            f"board: {op}", samples.board_answer({**message, "op": op}), mutations.json_text, ".txt",
            readers.board_answer(op, message),
        )
        for op, message in (
            ("load", {"id": 1}), ("measure", samples.MEASURE), ("infer", samples.INFER),
            ("facts", {"id": 1}), ("conditions", {"id": 1}),
        )
    ),
    InputKind("board: doctor", samples.text(samples.PROBED), mutations.json_text, ".json", readers.doctor),
    InputKind("board: set-up", samples.text(samples.BUILDING), mutations.json_text, ".json", readers.set_up),
    InputKind("metadata in .onnx", samples.artifact(".onnx"), mutations.protobuf, ".onnx", readers.metadata),
    InputKind("metadata in .tflite", samples.artifact(".tflite"), mutations.any_bytes, ".tflite", readers.metadata),
    InputKind("operators of .tflite", samples.artifact(".tflite"), mutations.words, ".tflite", readers.operators),
    InputKind("graph of .onnx", samples.artifact(".onnx"), mutations.protobuf, ".onnx", readers.graph),
    InputKind("graph of .tflite", samples.artifact(".tflite"), mutations.words, ".tflite", readers.graph),
    InputKind("file of MNN", samples.mnn, mutations.words, ".mnn", readers.mnn),
    InputKind("graph of ncnn", samples.ncnn, mutations.lines, ".ncnn.param", readers.ncnn),
    InputKind("checkpoint", samples.checkpoint, mutations.safetensors, ".safetensors", readers.checkpoint),
    InputKind("attention file", samples.attention, mutations.json_text, ".json", readers.attention),
    InputKind("IDX data", samples.idx, mutations.any_bytes, ".idx", readers.idx),
    InputKind("picture", samples.picture, mutations.any_bytes, ".png", readers.picture),
    InputKind("calibration", samples.calibration, mutations.json_text, ".json", readers.calibration),
    InputKind("training state", samples.training_state, mutations.any_bytes, ".safetensors", readers.training_state, native=True),
    InputKind("predict with .onnx", samples.artifact(".onnx"), mutations.protobuf, ".onnx", readers.predict, native=True),
    InputKind("predict with .tflite", samples.artifact(".tflite"), mutations.words, ".tflite", readers.predict, native=True),
)  # fmt: skip
