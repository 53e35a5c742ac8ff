"""Rewrites of a dynamic convolution that trade accuracy for cost, and the search that spends a budget on them.

A rewrite has the members of a lowering (``name``, ``summary``, ``applies``, a call that makes the lowered module) and
one more, ``rewrite(layer, alpha_mean, covariance)``: the same layer as a module of a network that can be evaluated,
trained further and saved. ``registry.get_lowering`` finds them; the planner never chooses one without a budget.
"""

from __future__ import annotations
