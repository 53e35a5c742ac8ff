"""int8 layers are computed in int8: what the runtime made of the file once it had fused it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch

from eamdeploy.data import embedded_sample
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, card_of, export_checkpoint
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact


@pytest.mark.slow
def test_layers_behind_a_clip_are_int8(tmp_path: Path) -> None:
    """Where maps reach the end of a ReLU6, its last code is 6 to within rounding only: a Clip there is not fused."""
    spec = ArchSpec(arch="mobilenet_v2", width=0.25, classes=10, input_px=32)
    checkpoint = load_checkpoint(str(write_random(spec, tmp_path / "random.safetensors")))
    with torch.no_grad():
        for module in checkpoint.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.add_(5)  # into the clip; a larger weight would make every rounding grow from layer to layer
    save_checkpoint(
        tmp_path / "net.safetensors",
        checkpoint.network,
        preprocessing=checkpoint.preprocessing,
        classes=checkpoint.classes,
    )
    checkpoint = load_checkpoint(str(tmp_path / "net.safetensors"))
    lowered = ExportOptions(formats=("onnx",), lowering="aggregate")  # the plan for int8
    (artifact,) = export_checkpoint(checkpoint, tmp_path, lowered, dataset=embedded_sample())
    target = tmp_path / "net-int8.onnx"
    options = QuantizeOptions("int8", max_drop=100, method="minmax", check_images=10, latency=False)
    quantize_artifact(artifact.path, target, options, card=card_of(checkpoint), calibration=embedded_sample())

    session_options = onnxruntime.SessionOptions()
    session_options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(str(target), session_options, providers=["CPUExecutionProvider"])
    kinds = Counter(
        node.op_type for node in onnx.load(str(tmp_path / "fused.onnx")).graph.node if ".attention" not in node.name
    )
    assert not {"Conv", "FusedConv", "Clip"} & set(kinds), kinds
    assert kinds["QLinearConv"] + kinds["QGemm"] >= len(checkpoint.network.dynamic_layers())
    assert kinds["QGemm"] > 10, kinds
