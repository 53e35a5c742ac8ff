"""Writes the files whose instructions are counted: static and dynamic networks in every format, in float and in int8.

    python -m benchmarks.latency.gather.counted_files --out DIR

Count them with `eamdeploy bench DIR/*.onnx ... --device pi4 --instructions --json` and hand the result to
`benchmarks.latency.gather.instruction_table`. The networks are random: what an operator costs does not depend on its weights.
Files that are there already are kept.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import eamdeploy
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.networks.zoo.shipped import ZOO, shipped_names
from eamdeploy.pipeline.export import ExportOptions
from export.exporter.registry import get_exporter
from export.quantize.formats import open_quantizer
from runtimes.readers.formats import FORMATS
from runtimes.readers.metadata import read_metadata

# an architecture's name, width and input size: small and large, with and without residuals and attention
NETWORKS = (
    ("mobilenet_v1", 0.25, 32),
    ("mobilenet_v1", 0.25, 128),
    ("mobilenet_v1", 0.5, 96),
    ("mobilenet_v2", 0.35, 96),
    ("mobilenet_v2", 0.5, 160),
)
# 3x3 convolutions over all channels; ncnn and MNN compute those by Winograd's algorithm, of which two networks tell too little
PLAIN = ((16, 64), (32, 96))
PLAIN_FORMATS = ("onnx", "tflite")
# 3x3 convolutions of groups between pointwise ones: width, channels of a group, input size
GROUPED = ((64, 8, 64), (96, 16, 96))
CONVOLUTIONS = ("static", "eam")
# that the shipped networks are counted in: of no device (operators that run anywhere) and of the counted boards
PLANS = (None, "pi4", "pi5")
QUANTIZED = ("onnx", "tflite")
IMAGES, CALIBRATION_IMAGES = 4, 4


def full_convolutions(width: int) -> nn.Module:
    """A plain network of 3x3 convolutions over all channels, which no MobileNet has behind its first layer."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for outputs, stride in ((width, 2), (width, 1), (2 * width, 2), (2 * width, 1), (4 * width, 2), (4 * width, 1)):
        convolution = nn.Conv2d(channels, outputs, 3, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 100)).eval()


def grouped_convolutions(width: int, channels: int) -> nn.Module:
    """Pointwise, grouped 3x3 and pointwise convolutions, as in ResNeXt and RegNet."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for stride in (1, 2, 1, 2):
        for convolution in (
            nn.Conv2d(width, width, 1, bias=False),
            nn.Conv2d(width, width, 3, stride, 1, groups=width // channels, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
        ):
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 100)).eval()


def mobilenets() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Names and what writes a checkpoint to a path."""
    base = ArchSpec(classes=100)
    for arch, width, px in NETWORKS:
        for conv in CONVOLUTIONS:
            spec = replace(base, arch=arch, width=width, input_px=px, conv=conv)
            yield f"{arch}-{width}-{px}-{conv}", partial(write_random, spec)


def plain() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """As `mobilenets`."""
    for width, px in PLAIN:
        bring_in = partial(eamdeploy.import_network, full_convolutions(width), (3, px, px))
        yield f"full-{width}-{px}-static", lambda path, bring_in=bring_in: bring_in(path=path)


def shipped() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """As `mobilenets`: the networks in the package, whose counts are exact where a user exports them."""
    for name in shipped_names():
        yield name, partial(shutil.copyfile, ZOO / f"{name}.safetensors")


def grouped() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """As `mobilenets`."""
    for width, channels, px in GROUPED:
        bring_in = partial(eamdeploy.import_network, grouped_convolutions(width, channels), (3, px, px))
        yield f"grouped-{width}-{channels}-{px}-static", lambda path, bring_in=bring_in: bring_in(path=path)


def write(
    name: str, checkpoint: Callable[[Path], object], out: Path, formats: Sequence[str], device: str | None
) -> Iterator[Path]:
    """Export one network, and quantize it where the format can; yields the files."""
    missing_formats = [form for form in formats if not (out / FORMATS[form].file_name(name)).exists()]
    if missing_formats:
        stored = out / f"{name}.safetensors"
        checkpoint(stored)
        options = ExportOptions(name=name, images=IMAGES)
        eamdeploy.export(stored, out, formats=missing_formats, device=device, options=options)
    for form in formats:
        path = out / FORMATS[form].file_name(name)
        yield path
        if form in QUANTIZED:
            yield quantized(path, out / FORMATS[form].file_name(f"{name}-int8"))


def quantized(source: Path, target: Path) -> Path:
    """The int8 file of a float one; its ranges are those of noise."""
    if not target.exists():
        quantizer = open_quantizer(source)
        quantizer.calibrate(_noise((quantizer.batch, *quantizer.input_shape)), "minmax")
        quantizer.write(target, "int8")
        metadata = read_metadata(source)
        get_exporter(metadata.format).attach_metadata(
            target, {**metadata.raw, "name": target.stem, "precision": "int8"}
        )
    return target


def _noise(shape: tuple[int, ...]) -> Iterator[npt.NDArray[np.float32]]:
    random = np.random.default_rng(0)
    for _ in range(CALIBRATION_IMAGES):
        yield random.standard_normal(shape, dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--format", nargs="+", default=["onnx", "tflite", "ncnn", "mnn"])
    parser.add_argument("--device", default="pi4", help="to plan all but the shipped networks for")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for plan in PLANS:
        folder = options.out / (plan or "any")
        folder.mkdir(exist_ok=True)
        for name, checkpoint in shipped():
            for path in write(name, checkpoint, folder, options.format, plan):
                print(path, flush=True)
    for name, checkpoint in (*mobilenets(), *grouped()):
        for path in write(name, checkpoint, options.out, options.format, options.device):
            print(path, flush=True)
    for name, checkpoint in plain():
        formats = [form for form in options.format if form in PLAIN_FORMATS]
        for path in write(name, checkpoint, options.out, formats, options.device):
            print(path, flush=True)


if __name__ == "__main__":
    main()
