"""Operators that no program has, written in those that programs have: recurrent cells, ``one_hot``, ``tensordot`` and others."""

from __future__ import annotations

from torch.export import ExportedProgram, default_decompositions

from eamdeploy.networks.program.operators import GETITEM, OPERATORS
from eamdeploy.training.importing.network.tracing.evaluate import operator_name

# they give what they are given, or check it
_IDENTITIES = """dropout.default feature_dropout.default alpha_dropout.default detach.default alias.default contiguous.default
    clone.default lift_fresh_copy.default _assert_tensor_metadata.default to.dtype_layout to.device"""
SKIPPED = frozenset(_IDENTITIES.split())
# what begins so answers otherwise each time; decomposed, it would not be seen
RANDOM = ("rand", "bernoulli", "multinomial", "normal.", "native_dropout", "exponential.", "uniform.")
# a decomposition may itself bring an operator that has to be decomposed
ROUNDS = 4
KNOWN = frozenset({"", GETITEM}) | OPERATORS | SKIPPED


def in_known_operators(program: ExportedProgram) -> ExportedProgram:
    """``program`` with every operator that has no place in a stored network decomposed, where PyTorch knows how."""
    for _ in range(ROUNDS):
        strange = {
            node.target
            for node in program.graph.nodes
            if node.op == "call_function"
            and operator_name(node) not in KNOWN
            and not operator_name(node).startswith(RANDOM)
        }
        if not strange:
            break
        table = default_decompositions()
        decompositions = {operator: table[operator] for operator in strange if operator in table}
        if not decompositions:
            break
        program = program.run_decompositions(decompositions)
    return program
