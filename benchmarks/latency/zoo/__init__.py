"""Operator lists of the published networks, by the name and size a measurement states."""

from __future__ import annotations

import re

from benchmarks.latency.zoo import (
    classic,
    detectors,
    inception,
    mobile_nas,
    mobilenet,
    residual,
    small,
    transformers,
    yolo,
)
from benchmarks.latency.zoo.tape import Tape


def build(model: str, width: str, input_px: str) -> Tape:
    """The operator list of one published network.

    Args:
        model: the name in the measurements ("mobilenet_v2", "resnet50_v1.5", ...).
        width: the width multiplier, or "".
        input_px: the input's side.

    Raises:
        KeyError: for a network nobody has written down.
    """
    w, px = float(width or 1) if re.fullmatch(r"[\d.]*", width) else 1.0, int(input_px)
    number = (
        int(match[1])
        if (match := re.search(r"(\d+)", model.split("v1.")[0].replace("_v1_", "").replace("_v2_", "")))
        else 0
    )
    if model in ("mobilenet_v1", "mobilenet_v2"):
        return getattr(mobilenet, model)(w, px)
    if model.startswith("mobilenet_v3"):
        return mobilenet.mobilenet_v3(
            "small" if "small" in model else "large", w, px, minimalistic="minimalistic" in model
        )
    if model.startswith("efficientnet_lite"):
        return mobile_nas.efficientnet_lite(number, px)
    if model.startswith("resnet_v2_"):
        return residual.resnet(number, px, version="2")
    if model.startswith("resnet_v1_"):
        return residual.resnet(number, px, version="1")
    if model.startswith("resnext101"):
        return residual.resnet(101, px, groups=32, group_width=8)
    if model.startswith("resnet"):
        return residual.resnet(number, px)
    if model.startswith("vgg"):
        return classic.vgg(number, px)
    if model.startswith("densenet"):
        return residual.densenet(number, px)
    if model.startswith("squeezenet"):
        return classic.squeezenet("1.1" if model.endswith(("1.1", "1_1")) else "1.0", px)
    if model.startswith("efficientdet_lite"):
        return detectors.efficientdet_lite(model.removeprefix("efficientdet_lite"), px)
    if model.startswith("yolo"):
        return _yolo(model, px)
    options = {
        "nb201": lambda: small.nas_bench_201(width, px),
        "fbnet": lambda: small.fbnet_block(width, px),
        "vit_tiny": lambda: transformers.vit_tiny(px),
        "deit_tiny": lambda: transformers.vit_tiny(px),
        "ssd_mobilenet_v2_300x300_coco": lambda: detectors.ssd_mobilenet_v2(px, lite=False),
        "ssd_mobilenet_v2_300x300_quant_coco": lambda: detectors.ssd_mobilenet_v2(px, lite=False),
        "ssdlite_mobilenet_v2_coco": lambda: detectors.ssd_mobilenet_v2(px, lite=True),
        "ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco": lambda: detectors.ssd_fpn("mobilenet_v1", px),
        "ssd_resnet50_v1_fpn_shared_box_predictor_640x640_coco": lambda: detectors.ssd_fpn("resnet50", px),
        "efficientnet_b0": lambda: mobile_nas.efficientnet(1, 1, px, lite=False),
        "efficientnetv2_b0": lambda: mobile_nas.efficientnet_v2_b0(px),
        "mnasnet": lambda: mobile_nas.mnasnet(w, px),
        "proxylessnas": lambda: mobile_nas.proxylessnas(px),
        "wide_resnet50_2": lambda: residual.resnet(50, px, group_width=128),
        "regnety_400m": lambda: residual.regnety_400m(px),
        "shufflenet_v1_g3": lambda: classic.shufflenet_v1(px),
        "shufflenet_v2": lambda: classic.shufflenet_v2(w, px),
        "alexnet": lambda: classic.alexnet(px, caffe=px == 227),
        "googlenet(inception_v1)": lambda: inception.inception_v1(px, caffe=True),
        "inception_v1": lambda: inception.inception_v1(px),
        "inception_v3": lambda: inception.inception_v3(px),
        "inception_v4": lambda: inception.inception_v4(px),
        "inception_resnet_v2": lambda: inception.inception_resnet_v2(px),
        "vit_base_384": lambda: classic.vit_base(px),
    }
    return options[model]()


def _yolo(model: str, px: int) -> Tape:
    for start, make in (("yolox_", yolo.yolox), ("yolov8", yolo.yolov8), ("yolo11", yolo.yolo11)):
        if model.startswith(start):
            return make(model.removeprefix(start), px)
    raise KeyError(model)


__all__ = ["Tape", "build"]
