"""ONNX operators that compute in integers, under the names of those that they stand for: files that other quantizers wrote.

Their scales and zero points are inputs beside the operands; only the operands are work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

# the operator that it stands for, and which inputs are operands
OPERANDS: dict[str, tuple[str, tuple[int, ...]]] = {
    "QLinearConv": ("Conv", (0, 3, 8)),
    "ConvInteger": ("Conv", (0, 1)),
    "QLinearMatMul": ("MatMul", (0, 3)),
    "MatMulInteger": ("MatMulInteger", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "QGemm": ("Gemm", (0, 3, 6)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
}
SUFFIX = "_quantized"  # onnxruntime's quantizer: of the tensor that a float one became
Known = Mapping[str, tuple[tuple[int, ...], int]]


def as_float(op: str, used: Sequence[str]) -> tuple[str, list[str]]:
    """The operator's name and operands as a float file has them; any other operator as it is."""
    if op == "QLinearConcat":
        return "Concat", list(used[2::3])
    name, at = OPERANDS.get(op, (op, tuple(range(len(used)))))
    return name, [used[i] for i in at if i < len(used)]


def quantized_shapes(names: Iterable[str], known_values: Known) -> dict[str, tuple[tuple[int, ...], int]]:
    """Of tensors that have no shape in the file and are the quantized form of one that has."""
    return {
        name: (known_values[name.removesuffix(SUFFIX)][0], 1)
        for name in names
        if name.endswith(SUFFIX) and name not in known_values and name.removesuffix(SUFFIX) in known_values
    }
