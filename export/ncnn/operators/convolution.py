"""Convolutions, with kernels that are constant or computed."""

from __future__ import annotations

from eamdeploy.base.errors import UsageError
from export.ncnn.conversion import Conversion
from export.ncnn.graph import OnnxNode
from export.ncnn.network import NcnnWeights
from export.ncnn.operators.activation import fused_activation
from runtimes.readers.ncnn_file import Parameter

_BIAS, _WEIGHTS, _GROUPS, _COMPUTED = 5, 6, 7, 19
# what a layer leaves out of what the runtime is told to use; 1: arithmetic in float16
_WITHOUT, _HALF_ARITHMETIC = 31, 1


def convolution(conversion: Conversion, node: OnnxNode) -> None:
    """A convolution; ncnn takes a computed kernel as a second input, (O, C / groups, kh, kw), where ``19=1``.

    With a computed kernel it never computes in float16: ncnn 20261020 then takes many times the instructions, and its depthwise
    layers are wrong by a hundred times the rounding.
    """
    source, attributes = conversion.source, node.attributes
    image = conversion.value(node.inputs[0])
    if len(image.natural) != 3:
        raise UsageError("ncnn's convolution is two-dimensional", where=node.name)
    outputs, groups = source.shapes[node.outputs[0]][1], int(attributes.get("group", 1))
    height, width = attributes["kernel_shape"]
    stride, dilation = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    activation, output = fused_activation(conversion, node.outputs[0])
    parameters: dict[int, Parameter] = {0: outputs, 1: width, 11: height, 2: dilation[1], 12: dilation[0]}
    parameters |= {3: stride[1], 13: stride[0], 4: left, 14: top, 15: right, 16: bottom}
    if groups > 1:
        parameters[_GROUPS] = groups
    inputs, weights = [conversion.natural(node.inputs[0])], []
    kernel, bias = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""
    if conversion.is_constant(kernel):
        values = source.constant(kernel)
        parameters[_WEIGHTS] = values.size
        weights.append(NcnnWeights(values, tagged=True))
        if bias:
            weights.append(NcnnWeights(source.constant(bias)))
    else:
        shape = source.shapes[kernel]
        parameters |= {_WEIGHTS: shape[0] * shape[1] * height * width, _COMPUTED: 1}
        parameters[_WITHOUT] = _HALF_ARITHMETIC
        inputs.append(conversion.in_dims(conversion.value(kernel), shape))
        if bias:
            constant = conversion.is_constant(bias)
            inputs.append(
                conversion.constant_blob(bias, (outputs,))
                if constant
                else conversion.in_dims(conversion.value(bias), (outputs,))
            )
    if bias:
        parameters[_BIAS] = 1
    kind = "ConvolutionDepthWise" if groups > 1 else "Convolution"
    conversion.layer(kind, node, inputs, parameters | activation, weights, output=output)
