"""The choices of options that take one of a few words; a test holds each list against the library's own.

They are spelled out here because the library's modules import PyTorch, and the help must not wait for that.
"""

from __future__ import annotations

from typing import Literal

ArchName = Literal["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]
ConvName = Literal["static", "dynet", "eam"]
SelectName = Literal[
    "rcr", "cgr-random", "cgr-max", "interval", "adjacent", "adjacent-1", "adjacent-2", "adjacent-3", "adjacent-4"
]
PoolName = Literal["avg", "max"]
ActivationName = Literal["own", "relu", "relu6"]
PaddingName = Literal["symmetric", "tf-same"]
LibraryName = Literal["torchvision", "timm", "timm-tf", "transformers", "keras", "tf-slim"]
DataKind = Literal["imagefolder", "cifar10", "cifar100", "fashion-mnist"]
RecipeName = Literal["cpu-small", "finetune", "paper-cifar", "paper-imagenet100-v1", "paper-imagenet100-v2v3"]
AugmentName = Literal["flip", "pad-crop-flip", "resized-crop-jitter"]
ArithmeticName = Literal["32-true", "bf16-mixed", "16-mixed"]
AccelerationName = Literal["auto", "on", "off", "compile"]
QatName = Literal["int8"]
MethodName = Literal["mse", "minmax", "percentile", "entropy"]
CostName = Literal["latency", "size", "instructions"]
SplitName = Literal["test", "train"]
RuntimeArithmetic = Literal["fp32", "fp16"]
PrecisionName = Literal["fp32", "fp16", "int8", "int8-weights"]
ProvenanceName = Literal["measured", "emulated", "estimated"]
VerdictName = Literal["clean", "suspect", "invalid"]
