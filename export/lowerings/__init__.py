"""Exact rewrites of a dynamic convolution into operators that a runtime has.

A lowering is a function from a layer to an equivalent ``torch.nn.Module``; one file each. ``registry.get_lowering(name)``
finds it, ``lowering.applies(site, target)`` says ``None`` or a :class:`~export.lowerings.base.Refusal` with its reason,
``lowering(site, target)`` builds the module. To add one, write a class with those three members and either list it in
``registry.BUILTIN`` or publish it as an entry point of the group ``eamdeploy.lowerings``.
"""

from __future__ import annotations
