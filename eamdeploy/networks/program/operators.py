"""The operators that a stored program may use: pure functions of PyTorch's ATen library, by name.

Nothing else is ever looked up: a checkpoint from anywhere can compute, and do nothing more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from eamdeploy.base.errors import DataError

_SHAPES = """reshape.default permute.default transpose.int t.default unsqueeze.default squeeze.default squeeze.dim squeeze.dims
    flatten.using_ints unflatten.int expand.default expand_as.default slice.Tensor select.int cat.default stack.default
    split.Tensor split_with_sizes.default chunk.default unbind.int narrow.default repeat.default contiguous.default
    clone.default alias.default movedim.int movedim.intlist swapaxes.default roll.default flip.default index_select.default
    index.Tensor gather.default constant_pad_nd.default pad.default pixel_shuffle.default pixel_unshuffle.default
    channel_shuffle.default tile.default unfold.default repeat_interleave.self_int broadcast_to.default"""
_WRITES = """scatter.src scatter.value scatter_add.default index_put.default slice_scatter.default select_scatter.default
    index_add.default index_copy.default copy.default tril.default triu.default"""
_ARITHMETIC = """add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar rsub.Tensor mul.Tensor mul.Scalar div.Tensor div.Scalar
    div.Tensor_mode neg.default abs.default pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar square.default sqrt.default
    rsqrt.default reciprocal.default exp.default exp2.default log.default log1p.default log2.default expm1.default sin.default
    cos.default erf.default sign.default floor.default ceil.default round.default minimum.default maximum.default
    clamp.default clamp_min.default clamp_max.default clamp.Tensor clamp_min.Tensor clamp_max.Tensor clip.default
    where.self where.ScalarSelf where.ScalarOther where.Scalar
    eq.Scalar eq.Tensor ne.Scalar ne.Tensor lt.Scalar lt.Tensor le.Scalar le.Tensor gt.Scalar gt.Tensor ge.Scalar ge.Tensor
    logical_and.default logical_or.default logical_not.default masked_fill.Scalar masked_fill.Tensor lerp.Scalar lerp.Tensor
    addcmul.default addcdiv.default floor_divide.default remainder.Scalar atan2.default atan.default cumsum.default"""
_ACTIVATIONS = """relu.default relu6.default leaky_relu.default elu.default selu.default celu.default gelu.default silu.default
    mish.default sigmoid.default hardsigmoid.default hardswish.default hardtanh.default tanh.default softplus.default
    softmax.int log_softmax.int _softmax.default _log_softmax.default prelu.default log_sigmoid.default
    glu.default hardshrink.default softshrink.default threshold.default special_expit.default"""
_REDUCTIONS = """sum.default sum.dim_IntList mean.default mean.dim amax.default amin.default max.dim min.dim max.default min.default
    argmax.default argmin.default topk.default sort.default prod.dim_int var.correction var.dim std.correction std.dim
    var_mean.correction norm.ScalarOpt_dim norm.Scalar linalg_vector_norm.default logsumexp.default any.dim all.dim"""
_PRODUCTS = """mm.default bmm.default matmul.default addmm.default baddbmm.default linear.default einsum.default mv.default
    dot.default scaled_dot_product_attention.default embedding.default outer.default bilinear.default"""
_MAPS = """conv1d.default conv2d.default conv3d.default convolution.default conv2d.padding conv1d.padding batch_norm.default
    _native_batch_norm_legit_no_training.default native_layer_norm.default layer_norm.default group_norm.default
    native_group_norm.default instance_norm.default avg_pool1d.default avg_pool2d.default adaptive_avg_pool1d.default
    adaptive_avg_pool2d.default max_pool1d.default max_pool2d.default max_pool2d_with_indices.default
    adaptive_max_pool1d.default adaptive_max_pool2d.default upsample_nearest2d.vec upsample_nearest2d.default
    upsample_bilinear2d.vec upsample_bilinear2d.default upsample_bicubic2d.vec im2col.default col2im.default
    conv_transpose2d.input reflection_pad2d.default replication_pad2d.default rms_norm.default grid_sampler.default"""
_CREATION = """full.default zeros.default ones.default full_like.default zeros_like.default ones_like.default arange.default
    arange.start arange.start_step scalar_tensor.default eye.default linspace.default new_zeros.default new_ones.default
    new_full.default"""
_CASTS = "to.dtype _to_copy.default type_as.default"

GETITEM = "getitem"
OPERATORS: frozenset[str] = frozenset(
    name
    for group in (_SHAPES, _WRITES, _ARITHMETIC, _ACTIVATIONS, _REDUCTIONS, _PRODUCTS, _MAPS, _CREATION, _CASTS)
    for name in group.split()
)
# operators that only move elements: what they give is what they were given, in another order or shape
REARRANGING: frozenset[str] = frozenset(_SHAPES.split()) - {"constant_pad_nd.default", "pad.default", "gather.default"}


def operator_function(name: str) -> Callable[..., Any]:
    """The function called ``name``, such as ``softmax.int``.

    Raises:
        DataError: when no program may use it.
    """
    if name == GETITEM:
        return operator.getitem
    if name not in OPERATORS:
        raise DataError(
            f"the checkpoint's program uses the operator '{name}'",
            why="it is none that a stored network may use",
            hint="was it written by a newer eamdeploy?",
        )
    operation, _, overload = name.partition(".")
    function: Callable[..., Any] = getattr(getattr(torch.ops.aten, operation), overload)
    return function
