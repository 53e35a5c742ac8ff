"""What the int8 tools in the packages of MNN and ncnn do with a static and with a dynamic network.

    python -m benchmarks.export.int8_tools

MNN's calibrating quantizer (``mnnquant``) runs in a process of its own, on bundled images, with each of its methods; its quantizer
of weights alone is the converter's ``--weightQuantBits 8``. ncnn's package is searched for tools.
"""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from pathlib import Path

import eamdeploy
from eamdeploy.data import embedded_sample
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions
from export.mnn.converter import convert
from export.quantize.mnn.calibration import run_quantizer

SIDE, IMAGES, LIMIT_S = 32, 20, 300.0
METHODS = ("KL", "ADMM", "EMA")


def quantized(network: Path, folder: Path, method: str) -> str:
    """What mnnquant makes of ``network``, in words."""
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    for index in range(IMAGES):
        embedded_sample().image(index).convert("RGB").resize((SIDE, SIDE)).save(pictures / f"{index:02}.png")
    settings = {
        "format": "RGB", "mean": [127.5] * 3, "normal": [1 / 127.5] * 3, "width": SIDE, "height": SIDE,
        "path": f"{pictures}/", "used_image_num": IMAGES, "feature_quantize_method": method,
        "weight_quantize_method": "MAX_ABS",
    }  # fmt: skip
    config, target = folder / "config.json", folder / f"{network.stem}-{method}.mnn"
    config.write_text(json.dumps(settings), encoding="utf-8")
    status = run_quantizer(network, target, config, limit_s=LIMIT_S)
    size = f"{target.stat().st_size / 1e6:.2f} MB" if target.is_file() else "no file"
    return f"exit status {status}, {size}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for conv in ("static", "eam"):
            spec = ArchSpec(arch="mobilenet_v1", width=0.25, conv=conv, input_px=SIDE, classes=10)
            checkpoint = write_random(spec, folder / f"{conv}.safetensors")
            (artifact,) = eamdeploy.export(checkpoint, folder, formats=["mnn"], options=ExportOptions(images=8))
            print(f"{conv}: fp32 {artifact.path.stat().st_size / 1e6:.2f} MB")
            weights = folder / f"{conv}-weights.mnn"
            convert(artifact.path, weights, ("--weightQuantBits", "8"), framework="MNN")
            print(f"  --weightQuantBits 8: {weights.stat().st_size / 1e6:.2f} MB")
            for method in METHODS:
                print(f"  mnnquant {method}: {quantized(artifact.path, folder, method)}")
    files = importlib.metadata.files("ncnn") or []
    tools = [str(file) for file in files if "table" in file.name or "quant" in file.name or "int8" in file.name]
    print(f"int8 tools in the package ncnn {importlib.metadata.version('ncnn')}: {', '.join(tools) or 'none'}")


if __name__ == "__main__":
    main()
