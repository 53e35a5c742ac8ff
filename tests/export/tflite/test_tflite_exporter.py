"""TFLite files of whole networks: channels last, named after their layers, quiet, honest where the converter is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from eamdeploy.base.errors import MissingDependency, UsageError
from eamdeploy.networks.architectures.network import Network
from export.exporter.reference import convolution_layers, layer_values
from export.exporter.request import ExportedFile, ExportRequest
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Target
from export.tflite.exporter import TfliteExporter, flatbuffer_bytes
from runtimes.readers.metadata import read_metadata

# looked for, not imported: that takes seconds, of every process that only collects the tests
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("litert_torch") is None, reason="the TFLite converter is not installed"
)
SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def exported(small: Network, tmp_path_factory: pytest.TempPathFactory) -> ExportedFile:
    lowered = lower(small, plan_network(small, Target("litert"), SHAPE))
    path = tmp_path_factory.mktemp("tflite") / "net.tflite"
    return TfliteExporter()(lowered, path, ExportRequest(SHAPE, layers=convolution_layers(lowered)))


def read_all(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    outputs = {int(index) for operator in interpreter._get_ops_details() for index in operator["outputs"]}
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["index"] in outputs and detail["dtype"] is np.float32
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors.*:UserWarning")
def test_every_named_tensor_is_the_layers(small: Network, exported: ExportedFile) -> None:
    images = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
    expected = layer_values(small, images)
    actual = read_all(exported.path, images.permute(0, 2, 3, 1).contiguous().numpy())
    assert set(exported.tensors["alpha"]) == set(small.dynamic_layers())
    assert set(exported.tensors["block"]) == {path.removesuffix(".conv") for path in small.dynamic_layers()}
    for kind, group in exported.tensors.items():
        for layer, name in group.items():
            expected_value = expected[kind][layer]
            expected_value = expected_value.permute(0, 2, 3, 1) if expected_value.ndim == 4 else expected_value
            np.testing.assert_allclose(
                actual[name], expected_value.numpy(), rtol=1e-3, atol=1e-4, err_msg=f"{kind} {layer}"
            )


@pytest.mark.slow
def test_input_and_output_are_float_and_channels_last(exported: ExportedFile) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported.path))
    (input_details,), (output_details,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (input_details["name"], tuple(input_details["shape"]), input_details["dtype"]) == (
        "input",
        (1, 32, 32, 3),
        np.float32,
    )
    assert (output_details["name"], tuple(output_details["shape"]), output_details["dtype"]) == (
        "scores",
        (1, 10),
        np.float32,
    )


@pytest.mark.slow
def test_no_map_is_transposed_for_the_attention(exported: ExportedFile) -> None:
    """What is transposed is the few chosen channels, or the pooled map: never a whole map on its way to the attention."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(exported.path.read_bytes(), 0))
    graph = model.subgraphs[0]
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    for operator in graph.operators:
        if names[model.operatorCodes[operator.opcodeIndex].builtinCode] == "TRANSPOSE":
            tensor = graph.tensors[operator.outputs[0]]
            if b"attention" in tensor.name and b"stem" not in tensor.name:
                assert min(tensor.shape[1], tensor.shape[-1]) <= 5, (tensor.name, tensor.shape)


@pytest.mark.slow
def test_the_converter_is_not_heard(small: Network, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lowered = lower(small, plan_network(small, Target("litert"), SHAPE))
    TfliteExporter()(lowered, tmp_path / "net.tflite", ExportRequest(SHAPE, layers=convolution_layers(lowered)))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


@pytest.mark.slow
def test_metadata_goes_in_and_is_replaced(exported: ExportedFile, tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(exported.path.read_bytes())
    for name in ("a longer name than the second", "second"):
        TfliteExporter().attach_metadata(path, {"schema_version": 1, "name": name, "format": "tflite"})
    assert read_metadata(path).name == "second"
    assert flatbuffer_bytes(path) == exported.path.read_bytes()


def test_a_dynamic_batch_is_refused(small: Network, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fixed batch"):
        TfliteExporter()(small, tmp_path / "net.tflite", ExportRequest(SHAPE, batch="dynamic"))


def test_a_missing_converter_is_one_sentence_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "litert_torch" else real(name))
    with pytest.raises(MissingDependency, match=r"eamdeploy\[tflite\]") as caught:
        TfliteExporter().check_available()
    assert caught.value.exit_code == 7
