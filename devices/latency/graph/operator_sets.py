"""Operators by what they cost, in the names of ONNX."""

from __future__ import annotations

# change a shape or a type and move no data worth counting, or are fused by every runtime here
FREE = frozenset(
    {
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Identity",
        "Shape",
        "Constant",
        "Dropout",
        "Cast",
        "Expand",
        "ConstantOfShape",
    }
)

FUSED_ACTIVATIONS = frozenset({"Relu", "Clip", "BatchNormalization", "LeakyRelu", "PRelu", "Min", "Max"})

QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear"})

PASS_THROUGH = FREE | QUANTIZERS | {"Transpose"}

PRODUCTS = frozenset({"MatMul", "Gemm", "MatMulInteger"})

MOVEMENT = frozenset(
    {
        "Concat",
        "Transpose",
        "Slice",
        "Split",
        "Gather",
        "GatherND",
        "Pad",
        "Pack",
        "Unpack",
        "Resize",
        "DepthToSpace",
        "OneHot",
    }
)

POOLS = frozenset(
    {"AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax"}
)

HEAVY = PRODUCTS | {"Conv", "Add", "Mul", "Sub", "ConvTranspose", "Einsum"}
