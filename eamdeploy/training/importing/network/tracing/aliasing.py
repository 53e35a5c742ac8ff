"""Whether an operator that writes into a tensor is seen through another name of it."""

from __future__ import annotations

from torch import fx

from eamdeploy.networks.program.operators import OPERATORS, REARRANGING
from eamdeploy.training.importing.network.tracing.evaluate import changes_in_place, operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced


def needs_functional_form(traced: Traced) -> bool:
    """Whether a program that gives each changed tensor a new name would be another function, or has no plain operators."""
    if any(not operator_name(node) for node in traced.nodes):
        return True
    position = {node: index for index, node in enumerate(traced.nodes)}
    for index, node in enumerate(traced.nodes):
        if not changes_in_place(node) or operator_name(node).startswith("dropout"):
            continue
        target = node.args[0]
        if operator_name(node) not in OPERATORS or not isinstance(target, fx.Node):
            return True
        names = _same_memory(target)
        names.discard(target)
        if any(position.get(user, -1) > index for name in names for user in name.users):
            return True
    return False


def _same_memory(node: fx.Node) -> set[fx.Node]:
    """What may share memory with ``node``: what it is a view of, and views of that."""
    root = node
    while operator_name(root) in REARRANGING and root.args and isinstance(root.args[0], fx.Node):
        root = root.args[0]
    nodes, stack = set(), [root]
    while stack:
        current = stack.pop()
        nodes.add(current)
        stack.extend(user for user in current.users if operator_name(user) in REARRANGING)
    return nodes
