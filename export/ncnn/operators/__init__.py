"""ONNX operators as ncnn layers, one family a file."""

from __future__ import annotations

from export.ncnn.conversion import Operator
from export.ncnn.operators import activation, convolution, elementwise, linear, pooling, selection, shape

OPERATORS: dict[str, Operator] = {
    "Add": elementwise.add,
    "AveragePool": pooling.window,
    "Cast": shape.same,
    "Clip": activation.clip,
    "Concat": selection.concat,
    "Conv": convolution.convolution,
    "CumSum": elementwise.cumulative_sum,
    "Div": elementwise.divide,
    "Flatten": shape.reshape,
    "Gather": selection.gather,
    "Gemm": linear.gemm,
    "GlobalAveragePool": pooling.whole_map,
    "HardSigmoid": activation.hard_sigmoid,
    "HardSwish": activation.hard_swish,
    "Identity": shape.same,
    "MatMul": linear.matmul,
    "MaxPool": pooling.window,
    "Mul": elementwise.multiply,
    "Pad": shape.pad,
    "ReduceMax": pooling.reduce_max,
    "ReduceMean": pooling.reduce_mean,
    "ReduceSum": pooling.reduce_sum,
    "Relu": activation.relu,
    "Reshape": shape.reshape,
    "Sigmoid": activation.sigmoid,
    "Slice": selection.slice_,
    "Softmax": activation.softmax,
    "Split": selection.split,
    "Squeeze": shape.reshape,
    "Sub": elementwise.subtract,
    "Transpose": shape.transpose,
    "Unsqueeze": shape.reshape,
}
