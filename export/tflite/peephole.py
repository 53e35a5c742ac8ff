"""What the TFLite converter leaves that keeps operators out of XNNPACK or copies maps for nothing, put right in the file.

* A product of two computed matrices, ``A @ B^T``, comes out as FULLY_CONNECTED with a computed filter, which the delegate does not
  take; BATCH_MATMUL with ``adj_y`` is the same and it does.
* A product over the rows of a map comes out behind a RESHAPE that only drops leading ones. A RESHAPE is a copy of the map.

Both work on the object form of the flatbuffer (``schema_py_generated.ModelT``) and keep the function; the verification that
every artifact goes through is the proof.
"""

from __future__ import annotations

from typing import Any


def tidy(model: Any, schema: Any) -> int:
    """Apply both rules to ``model`` in place; returns how many operators changed."""
    graph = model.subgraphs[0]
    changed = _products(model, graph, schema)
    return changed + _leading_ones(model, graph, schema)


def operator_kind(model: Any, operator: Any) -> int:
    """The builtin operator's code."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _products(model: Any, graph: Any, schema: Any) -> int:
    computed = {int(index) for operator in graph.operators for index in operator.outputs}
    products = [
        operator
        for operator in graph.operators
        if operator_kind(model, operator) == schema.BuiltinOperator.FULLY_CONNECTED
        and int(operator.inputs[1]) in computed
        and (len(operator.inputs) < 3 or int(operator.inputs[2]) < 0)
        and operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE
    ]
    if not products:
        return 0
    code = _opcode(model, schema, schema.BuiltinOperator.BATCH_MATMUL)
    for operator in products:
        options = schema.BatchMatMulOptionsT()
        options.adjX, options.adjY = False, True
        operator.opcodeIndex, operator.inputs = code, [int(operator.inputs[0]), int(operator.inputs[1])]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.BatchMatMulOptions, options
    return len(products)


def _leading_ones(model: Any, graph: Any, schema: Any) -> int:
    producers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    consumers: dict[int, list[Any]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            consumers.setdefault(int(index), []).append(operator)
    dropped = []
    for product in graph.operators:
        if operator_kind(model, product) != schema.BuiltinOperator.BATCH_MATMUL or product.builtinOptions.adjX:
            continue
        left, out = int(product.inputs[0]), int(product.outputs[0])
        reshape = producers.get(left)
        if (
            reshape is None
            or operator_kind(model, reshape) != schema.BuiltinOperator.RESHAPE
            or len(consumers[left]) > 1
        ):
            continue
        source = int(reshape.inputs[0])
        before, after = _shape(graph, source), _shape(graph, left)
        if len(after) < 3 or before != [1, *after] or out in {int(index) for index in graph.outputs}:
            continue
        unit_shape = [1, *_shape(graph, out)]
        readers = consumers.get(out, [])
        # an elementwise operator whose result has the leading one anyway does not mind that its input has it
        if not readers or any(
            operator_kind(model, reader) != schema.BuiltinOperator.ADD
            or _shape(graph, int(reader.outputs[0])) != unit_shape
            for reader in readers
        ):
            continue
        product.inputs = [source, int(product.inputs[1])]
        graph.tensors[out].shape, graph.tensors[out].shapeSignature = unit_shape, None
        dropped.append(reshape)
    graph.operators = [operator for operator in graph.operators if not any(operator is gone for gone in dropped)]
    return len(dropped)


def _shape(graph: Any, index: int) -> list[int]:
    return [int(size) for size in graph.tensors[index].shape]


def _opcode(model: Any, schema: Any, kind: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if max(int(code.builtinCode), int(code.deprecatedBuiltinCode)) == kind:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, min(kind, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
