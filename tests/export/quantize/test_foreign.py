"""Static ONNX classifiers from elsewhere, and models that the quantizer must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.main import main
from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.inference.model_card import read_card
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from export.quantize.formats import open_quantizer

PREPROCESSING = Preprocessing(size=28, mean=(0.286,), std=(0.353,), channels=1)


def residual_classifier(path: Path, opset: int, batch: int | str = "N") -> Path:
    """conv + batch norm + relu + max pool, a residual block, global pool, flatten, gemm: with an old opset's habits."""
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(
            (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32), name
        )

    ones = [numpy_helper.from_array(rng.uniform(0.5, 1.5, 16).astype(np.float32), n) for n in ("g", "v")]
    zeros = [numpy_helper.from_array(rng.standard_normal(16).astype(np.float32) * 0.1, n) for n in ("b", "m")]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "g", "b", "m", "v"], ["n1"]),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "p1"], ["a2"]),
        helper.make_node("Relu", ["a2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["gap"]),
        helper.make_node("Flatten", ["gap"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, 28, 28])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 10])],
        [
            weights("w1", 16, 1, 3, 3),
            weights("w2", 16, 16, 3, 3),
            weights("w3", 10, 16),
            weights("b3", 10),
            *ones,
            *zeros,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(("opset", "batch"), [(11, "N"), (17, 1), (13, 4)])
def test_a_static_classifier_is_quantized_and_describes_itself(tmp_path: Path, opset: int, batch: int | str) -> None:
    source = residual_classifier(tmp_path / "net.onnx", opset, batch)
    data = embedded_sample()
    card = foreign_card(source, PREPROCESSING, data.classes)
    options = QuantizeOptions(max_drop=8, calibration_images=60, check_images=120)
    quantized = quantize_artifact(source, tmp_path / "net-int8.onnx", options, card=card, calibration=data)
    # random weights: no accuracy to lose, but the best class must mostly stay
    assert quantized.report.outcome.flips < 24
    layers = quantized.to_dict()["quantization"]["layers"]
    assert len(layers) >= 4
    assert all(row["precision"] == "int8" for row in layers)
    assert all(row["snr_db"] > 18 for row in layers), layers
    initializers = onnx.load(str(quantized.path)).graph.initializer
    assert {t.data_type for t in initializers if np.prod(t.dims) > 100} == {TensorProto.INT8}
    assert read_card(quantized.path).classes == data.classes
    assert read_card(quantized.path).preprocessing == PREPROCESSING


def save(path: Path, nodes: list[onnx.NodeProto], domain: str = "") -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 28, 28])],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def test_models_it_does_not_know_are_refused_by_name(tmp_path: Path) -> None:
    custom = save(tmp_path / "custom.onnx", [helper.make_node("Mystery", ["x"], ["y"], domain="acme")], "acme")
    with pytest.raises(UsageError, match=r"acme\.Mystery"):
        open_quantizer(custom)
    plain = save(tmp_path / "plain.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    with pytest.raises(UsageError, match="no convolution or linear layer but Relu"):
        open_quantizer(plain)
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"\x00not a model")
    with pytest.raises(UsageError, match="not an ONNX model"):
        open_quantizer(garbage)
    with pytest.raises(UsageError, match="no such artifact"):
        open_quantizer(tmp_path / "missing.onnx")
    text = tmp_path / "net.tflite"
    text.write_bytes(b"not a flatbuffer at all")
    with pytest.raises(UsageError, match="not a TFLite file"):
        open_quantizer(text)


def test_a_quantized_model_is_not_quantized_again(tmp_path: Path) -> None:
    source = residual_classifier(tmp_path / "net.onnx", 17, 1)
    quantizer = open_quantizer(source)
    quantizer.calibrate([np.ones((1, 1, 28, 28), np.float32)], "minmax")
    quantizer.write(tmp_path / "q.onnx", "int8")
    with pytest.raises(UsageError, match="quantized already"):
        open_quantizer(tmp_path / "q.onnx")


def test_labels_must_be_as_many_as_scores(tmp_path: Path) -> None:
    source = residual_classifier(tmp_path / "net.onnx", 17, 1)
    with pytest.raises(UsageError, match="3 labels were given for 10 classes"):
        foreign_card(source, PREPROCESSING, ("a", "b", "c"))
    assert foreign_card(source, PREPROCESSING, None).classes[9] == "class 9"


def test_the_quantized_file_is_verified_against_the_float_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = residual_classifier(tmp_path / "net.onnx", 17, 1)
    data = embedded_sample()
    card = foreign_card(source, PREPROCESSING, data.classes)
    options = QuantizeOptions(max_drop=20, calibration_images=60, check_images=120)
    quantized = quantize_artifact(source, tmp_path / "net-int8.onnx", options, card=card, calibration=data)

    def verify(*words: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["verify", *map(str, words)])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    # the quantized file knows how images become its input; of random weights the classes lie close together
    code, out, _ = verify(quantized.path, "--against", source, "--limit", 40, "--min-agreement", 0.7, "--json")
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "passed")
    (report,) = document["artifacts"]
    assert report["images"] == 40
    assert report["checkpoint"] == str(source)
    assert report["outputs"][0]["snr_db"] > 10
    assert [check["status"] for check in document["checks"]] == ["skipped", "passed", "passed"]

    broken = onnx.load(str(quantized.path))
    scales = [tensor for tensor in broken.graph.initializer if tensor.name == "w2/s"]
    assert len(scales) == 1
    scales[0].CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(scales[0]), "w2/s"))
    onnx.save(broken, str(tmp_path / "broken.onnx"))
    code, _, err = verify(tmp_path / "broken.onnx", "--against", source, "--limit", 40, "--min-agreement", 0.7)
    assert code == 3
    assert "not the same function as" in err

    # of two foreign files nobody knows it
    other = residual_classifier(tmp_path / "other.onnx", 17, 1)
    code, _, err = verify(other, "--against", source)
    assert code == 2
    assert "does not say how images become its input" in err
    code, out, _ = verify(other, "--against", source, "--preprocessing", json.dumps(PREPROCESSING.to_dict()))
    assert code == 0
    assert "equal to the bit" in out
    code, _, err = verify(other, "--against", source, "--random", 3)
    assert (code, "needs a checkpoint to compare with" in err) == (2, True)
