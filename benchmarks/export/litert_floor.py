"""How near its static twin a .tflite file of this form can come on this machine, whatever is still saved around the products.

    python -m benchmarks.export.litert_floor --dir build/whole-network [--rounds 60] [--processes 3]

Takes ``static.tflite`` and ``eam.tflite`` of ``benchmarks.export.whole_network`` and cuts things out of the second, one after
the other: the attention (mixing weights become four numbers of the layer's input), the padding before strided depthwise
layers, the activations after products. What remains mixes every bank, multiplies, and runs depthwise layers where a computed kernel
can run; it is no longer the network, and nothing exact in this form is faster. Each races the static twin
as in ``benchmarks.export.whole_network``.

Then the bank alone, run again at once and after a pause: what it costs to read depends on whether the cache still holds it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.export.whole_network import compare
from export.quantize.tflite.model import FLOAT32, TfliteModel
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime

PAUSES_MS = (0, 5, 10, 20)
WARM_UP = 5


def of(file: TfliteModel, kind: str) -> list[Any]:
    """All operators of a kind."""
    return [operator for operator in file.graph.operators if file.kind(operator) == kind]


def first_elements(file: TfliteModel, source: int, size: tuple[int, ...]) -> Any:
    """An operator that takes the first elements of every axis."""
    begin = file.add_constant("begin", np.zeros(len(size), np.int32))
    extent = file.add_constant("extent", np.array(size, np.int32))
    return file.operator(
        "SLICE",
        [source, begin, extent],
        [file.add_tensor(f"few{source}", size, FLOAT32)],
        options=file.schema.SliceOptionsT(),
    )


def reshaped(file: TfliteModel, source: int, shape: tuple[int, ...]) -> Any:
    """An operator that gives a tensor another shape."""
    target = file.add_constant("shape", np.array(shape, np.int32))
    return file.operator(
        "RESHAPE",
        [source, target],
        [file.add_tensor(f"flat{source}", shape, FLOAT32)],
        options=file.schema.ReshapeOptionsT(),
    )


def free_attention(file: TfliteModel) -> None:
    """Mixing weights are the first four numbers of the layer's input: they depend on it and cost nothing to compute."""
    replaced: dict[int, int] = {}
    operators: list[Any] = []
    for operator in file.graph.operators:
        if file.kind(operator) != "SOFTMAX":
            operators.append(operator)
            continue
        alpha = int(operator.outputs[0])
        attention = file.name(alpha).removesuffix("/alpha") + ".attention"
        first = next(o for o in file.graph.operators if file.name(int(o.outputs[0])).startswith(attention))
        source = next(int(t) for t in first.inputs if len(file.shape(int(t))) == 4 and file.shape(int(t))[0] == 1)
        few = first_elements(file, source, (1, 1, 1, 4) if file.shape(source)[3] >= 4 else (1, 2, 2, 1))
        flat = reshaped(file, few.outputs[0], file.shape(alpha))
        operators += [few, flat]
        replaced[alpha] = flat.outputs[0]
    for operator in operators:
        operator.inputs = [replaced.get(int(index), int(index)) for index in operator.inputs]
    file.graph.operators = operators


def no_padding(file: TfliteModel) -> None:
    """Strided depthwise layers read the map as it is."""
    pads = {int(o.outputs[0]): int(o.inputs[0]) for o in of(file, "PAD")}
    for operator in of(file, "DEPTHWISE_CONV_2D"):
        if int(operator.inputs[0]) in pads:
            operator.inputs = [pads[int(operator.inputs[0])], *(int(index) for index in operator.inputs[1:])]
            operator.builtinOptions.padding = file.schema.Padding.SAME


def no_activation(file: TfliteModel) -> None:
    """The bias after a product is added and nothing is cut off."""
    for operator in of(file, "ADD"):
        operator.builtinOptions.fusedActivationFunction = file.schema.ActivationFunctionType.NONE


def bank_only(file: TfliteModel) -> None:
    """Every bank is mixed, one after the other, and nothing else is done."""
    buffer_numbers: dict[int, int] = {}
    operators: list[Any] = []
    for mix in of(file, "FULLY_CONNECTED"):
        if ".bank/" not in file.name(int(mix.outputs[0])):
            continue
        weights = file.shape(int(mix.inputs[0]))[1]
        if weights not in buffer_numbers:
            buffer_numbers[weights] = file.add_tensor(f"alpha{weights}", (1, weights), FLOAT32)
        mix.inputs = [buffer_numbers[weights], *(int(index) for index in mix.inputs[1:])]
        # so little is kept of each kernel that the next one can take its place in memory
        operators += [mix, first_elements(file, int(mix.outputs[0]), (1, 4))]
    file.graph.operators, file.graph.inputs = operators, list(buffer_numbers.values())
    file.graph.outputs = [operator.outputs[0] for operator in operators[1::2]]
    file.model.signatureDefs = []


CUTS: dict[str, tuple[Callable[[TfliteModel], None], ...]] = {
    "free-attention": (free_attention,),
    "no-padding": (free_attention, no_padding),
    "no-activation": (free_attention, no_padding, no_activation),
    "bank": (bank_only,),
}


def write(source: Path, cuts: tuple[Callable[[TfliteModel], None], ...], target: Path) -> None:
    """Cut, drop the operators that no output needs any more, and write."""
    file = TfliteModel.read(source)
    for cut in cuts:
        cut(file)
    needed, operators = {int(index) for index in file.graph.outputs}, []
    for operator in reversed(file.graph.operators):
        if needed & {int(index) for index in operator.outputs}:
            operators.append(operator)
            needed |= {int(index) for index in operator.inputs}
    file.graph.operators = operators[::-1]
    target.write_bytes(file.to_bytes())


def after_pauses(file: Path, rounds: int) -> dict[str, float]:
    """Median milliseconds of the bank alone when the processor was busy with nothing for a while before."""
    session = get_runtime("litert").load(file, RuntimeOptions(threads=1))
    call = session.timed_call(
        {tensor.name: np.full((1, tensor.shape[1]), 0.25, np.float32) for tensor in session.inputs}
    )
    measured = {}
    for pause in PAUSES_MS:
        samples = []
        for _ in range(rounds + WARM_UP):
            until = time.perf_counter() + pause / 1000
            while time.perf_counter() < until:
                pass
            started = time.perf_counter_ns()
            call()
            samples.append((time.perf_counter_ns() - started) / 1e6)
        measured[str(pause)] = round(statistics.median(samples[WARM_UP:]), 2)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=3)
    arguments = parser.parse_args()
    eam = arguments.dir / "eam.tflite"
    cut = {name: arguments.dir / f"floor-{name}.tflite" for name in CUTS}
    for name, target in cut.items():
        write(eam, CUTS[name], target)
    bank = cut.pop("bank")
    rows = []
    for file in (eam, *cut.values()):
        names = ("static.tflite", file.name)
        rows.append(compare(arguments.dir, "litert", names, rounds=arguments.rounds, processes=arguments.processes))
        print(rows[-1])
    document = {"rows": rows, "bank_ms_after_pause_ms": after_pauses(bank, arguments.rounds)}
    (arguments.dir / "litert-floor.json").write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document["bank_ms_after_pause_ms"]))


if __name__ == "__main__":
    main()
