"""How near its static twin a .tflite file of this form can come on this machine, whatever is still saved around the products.

    python -m benchmarks.export.litert_floor --dir build/whole-network [--rounds 60] [--processes 3]

Takes ``static.tflite`` and ``eam.tflite`` of ``benchmarks.export.whole_network`` and cuts things out of the second, one after
the other: the attention (mixing weights become four numbers of the layer's input), the padding before strided depthwise
layers, the activations after products. What remains mixes every bank, multiplies, and runs depthwise layers where a computed kernel
can run; it is no longer the network, and nothing exact in this form is faster. Each runs beside the static twin in one
process, in a new order each round.

Then the bank alone, run again at once and after a pause: what it costs to read depends on whether the cache still holds it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PAUSES_MS = (0, 5, 10, 20)


class Surgery:
    """A .tflite file as objects, with what the cuts below need."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        from export.tflite_exporter import flatbuffer_bytes

        self.schema = schema
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer_bytes(path), 0))
        self.model.signatureDefs = []
        self.graph = self.model.subgraphs[0]

    def kind(self, operator: Any) -> int:
        from export.tflite_peephole import operator_kind

        return operator_kind(self.model, operator)

    def of(self, name: str) -> list[Any]:
        wanted = getattr(self.schema.BuiltinOperator, name)
        return [operator for operator in self.graph.operators if self.kind(operator) == wanted]

    def name(self, tensor: int) -> str:
        return self.graph.tensors[int(tensor)].name.decode()

    def shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self.graph.tensors[int(tensor)].shape]

    def tensor(self, shape: list[int], integers: list[int] | None = None) -> int:
        made = self.schema.TensorT()
        made.shape, made.name = shape, f"cut{len(self.graph.tensors)}".encode()
        made.type = self.schema.TensorType.FLOAT32 if integers is None else self.schema.TensorType.INT32
        if integers is not None:
            data = self.schema.BufferT()
            data.data = np.frombuffer(np.array(integers, dtype=np.int32).tobytes(), np.uint8)
            self.model.buffers.append(data)
            made.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def slice(self, source: int, size: list[int]) -> Any:
        """An operator that takes the first elements of every axis."""
        made = self.schema.OperatorT()
        made.opcodeIndex = self.of("SLICE")[0].opcodeIndex
        made.inputs = [source, self.tensor([len(size)], [0] * len(size)), self.tensor([len(size)], size)]
        made.outputs = [self.tensor(size)]
        made.builtinOptionsType, made.builtinOptions = (
            self.schema.BuiltinOptions.SliceOptions,
            self.schema.SliceOptionsT(),
        )
        return made

    def reshape(self, source: int, shape: list[int]) -> Any:
        made = self.schema.OperatorT()
        made.opcodeIndex = self.of("RESHAPE")[0].opcodeIndex
        made.inputs, made.outputs = [source, self.tensor([len(shape)], shape)], [self.tensor(shape)]
        made.builtinOptionsType = self.schema.BuiltinOptions.ReshapeOptions
        made.builtinOptions = self.schema.ReshapeOptionsT()
        made.builtinOptions.newShape = shape
        return made

    def save(self, path: Path) -> None:
        """Write what the outputs still need."""
        import flatbuffers

        needed, kept = {int(index) for index in self.graph.outputs}, []
        for operator in reversed(self.graph.operators):
            if needed & {int(index) for index in operator.outputs}:
                kept.append(operator)
                needed |= {int(index) for index in operator.inputs if index >= 0}
        self.graph.operators = kept[::-1]
        builder = flatbuffers.Builder(2**20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        path.write_bytes(builder.Output())


def free_attention(file: Surgery) -> None:
    """Mixing weights are the first four numbers of the layer's input: they depend on it and cost nothing to compute."""
    replaced: dict[int, int] = {}
    operators: list[Any] = []
    for operator in file.graph.operators:
        if file.kind(operator) != file.schema.BuiltinOperator.SOFTMAX:
            operators.append(operator)
            continue
        alpha = int(operator.outputs[0])
        attention = file.name(alpha).removesuffix("/alpha") + ".attention"
        first = next(o for o in file.graph.operators if file.name(o.outputs[0]).startswith(attention))
        source = next(int(t) for t in first.inputs if len(file.shape(t)) == 4 and file.shape(t)[0] == 1)
        few = file.slice(source, [1, 1, 1, 4] if file.shape(source)[3] >= 4 else [1, 2, 2, 1])
        flat = file.reshape(few.outputs[0], file.shape(alpha))
        operators += [few, flat]
        replaced[alpha] = flat.outputs[0]
    for operator in operators:
        operator.inputs = [replaced.get(int(index), int(index)) for index in operator.inputs]
    file.graph.operators = operators


def no_padding(file: Surgery) -> None:
    """Strided depthwise layers read the map as it is."""
    pads = {int(o.outputs[0]): int(o.inputs[0]) for o in file.of("PAD")}
    for operator in file.of("DEPTHWISE_CONV_2D"):
        if int(operator.inputs[0]) in pads:
            operator.inputs = [pads[int(operator.inputs[0])], *(int(index) for index in operator.inputs[1:])]
            operator.builtinOptions.padding = file.schema.Padding.SAME


def no_activation(file: Surgery) -> None:
    """The bias after a product is added and nothing is cut off."""
    for operator in file.of("ADD"):
        operator.builtinOptions.fusedActivationFunction = file.schema.ActivationFunctionType.NONE


def bank_only(file: Surgery) -> None:
    """Every bank is mixed, one after the other, and nothing else is done."""
    mixes = [o for o in file.of("FULLY_CONNECTED") if ".bank/" in file.name(o.outputs[0])]
    file.graph.inputs = []
    given: dict[int, int] = {}
    operators: list[Any] = []
    for mix in mixes:
        weights = file.shape(mix.inputs[0])[1]
        if weights not in given:
            given[weights] = file.tensor([1, weights])
            file.graph.inputs.append(given[weights])
        mix.inputs = [given[weights], *(int(index) for index in mix.inputs[1:])]
        # so little is kept of each kernel that the next one can take its place in memory
        operators += [mix, file.slice(int(mix.outputs[0]), [1, 4])]
    file.graph.operators = operators
    file.graph.outputs = [operator.outputs[0] for operator in operators[1::2]]


CUTS: dict[str, tuple[Callable[[Surgery], None], ...]] = {
    "free-attention": (free_attention,),
    "no-padding": (free_attention, no_padding),
    "no-activation": (free_attention, no_padding, no_activation),
    "bank": (bank_only,),
}


def load(path: Path) -> Any:
    """An interpreter with one thread and something in its inputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        values = np.random.default_rng(0).random(detail["shape"], dtype=np.float32)
        interpreter.set_tensor(detail["index"], values)
    return interpreter


def milliseconds(interpreter: Any) -> float:
    """Of one inference."""
    started = time.perf_counter_ns()
    interpreter.invoke()
    return (time.perf_counter_ns() - started) / 1e6


def race(files: list[Path], rounds: int) -> list[float]:
    """The 10th percentile of each file, in one process."""
    loaded = [load(file) for file in files]
    samples: list[list[float]] = [[] for _ in files]
    order = np.random.default_rng()
    for turn in range(rounds + 5):
        for index in order.permutation(len(files)):
            taken = milliseconds(loaded[index])
            if turn >= 5:
                samples[index].append(taken)
    return [statistics.quantiles(values, n=10)[0] for values in samples]


def after_pauses(file: Path, rounds: int) -> dict[str, float]:
    """Median milliseconds of the bank alone when the processor was busy with nothing for a while before."""
    interpreter = load(file)
    found = {}
    for pause in PAUSES_MS:
        samples = []
        for _ in range(rounds):
            until = time.perf_counter() + pause / 1000
            while time.perf_counter() < until:
                pass
            samples.append(milliseconds(interpreter))
        found[str(pause)] = round(statistics.median(samples[5:]), 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--race", nargs="+", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.race:
        print(json.dumps(race(arguments.race, arguments.rounds)))
        return
    files = {"static": arguments.dir / "static.tflite", "eam": arguments.dir / "eam.tflite"}
    for name, cuts in CUTS.items():
        surgery = Surgery(files["eam"])
        for cut in cuts:
            cut(surgery)
        files[name] = arguments.dir / f"floor-{name}.tflite"
        surgery.save(files[name])
    static, bank = files.pop("static"), files.pop("bank")
    rows = []
    for name, file in files.items():
        command = [sys.executable, "-m", "benchmarks.export.litert_floor", "--dir", str(arguments.dir)]
        command += ["--rounds", str(arguments.rounds), "--race", str(static), str(file)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            for _ in range(arguments.processes)
        ]
        low = [round(statistics.median(values), 2) for values in zip(*runs, strict=True)]
        ratios = [round(run[1] / run[0], 3) for run in runs]
        rows.append({"file": name, "p10_ms": low, "ratio": statistics.median(ratios), "ratios": ratios})
        print(rows[-1])
    document = {"rows": rows, "bank_ms_after_pause_ms": after_pauses(bank, arguments.rounds)}
    (arguments.dir / "litert-floor.json").write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document["bank_ms_after_pause_ms"]))


if __name__ == "__main__":
    main()
