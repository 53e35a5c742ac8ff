from __future__ import annotations

import os

import numpy as np
import pytest

from eamdeploy.base.errors import DataError, MissingDependency, UsageError
from runtimes.batching import AffineQuantization
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime
from tests.runtimes import tiny_models


@pytest.mark.parametrize("batch", [1, 2, 5, 7, "B"])
def test_onnxruntime_runs_any_number_of_images_whatever_batch_the_artifact_has(tmp_path, images, batch):
    parts = tiny_models.write_onnx(tmp_path / "m.onnx", batch=batch)
    session = get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions())
    outputs = session.run(images)
    assert [output.shape for output in outputs] == [(5, 3)]
    np.testing.assert_allclose(outputs[0], tiny_models.reference(parts, images), rtol=1e-5, atol=1e-5)


def test_litert_runs_nchw_images_through_an_nhwc_artifact(tflite, images):
    path, parts = tflite
    session = get_runtime("litert").load(path, RuntimeOptions())
    assert session.inputs[0].shape == (1, 8, 8, 3)
    np.testing.assert_allclose(session.run(images)[0], tiny_models.reference(parts, images), rtol=1e-5, atol=1e-5)


def test_litert_without_xnnpack_computes_the_same(tflite, images):
    path, parts = tflite
    session = get_runtime("litert").load(path, RuntimeOptions(xnnpack=False))
    np.testing.assert_allclose(session.run(images)[0], tiny_models.reference(parts, images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime", "litert"])
def test_a_timed_call_gives_what_run_gives(tmp_path, images, name, request):
    if name == "onnxruntime":
        tiny_models.write_onnx(path := tmp_path / "m.onnx")
        image = images[:1]
    else:
        path, _ = request.getfixturevalue("tflite")
        image = np.ascontiguousarray(images[:1].transpose(0, 2, 3, 1))
    session = get_runtime(name).load(path, RuntimeOptions())
    call = session.timed_call({session.inputs[0].name: image})
    call()
    np.testing.assert_array_equal(call()[0], session.run(images[:1])[0])


def test_wrong_image_size_names_both_sizes(tmp_path):
    tiny_models.write_onnx(tmp_path / "m.onnx")
    session = get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions())
    with pytest.raises(DataError, match=r"1x3x8x8.*Bx3x9x8"):
        session.run(np.zeros((1, 3, 9, 8), np.float32))


def test_an_artifact_that_is_no_artifact_is_rejected_in_words(tmp_path):
    for name, runtime in (("m.onnx", "onnxruntime"), ("m.tflite", "litert")):
        (tmp_path / name).write_bytes(b"this is not a model" * 10)
        with pytest.raises(UsageError, match=r"does not accept the artifact") as caught:
            get_runtime(runtime).load(tmp_path / name, RuntimeOptions())
        assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no such artifact.*nowhere\.onnx"):
        get_runtime("onnxruntime").load(tmp_path / "nowhere.onnx", RuntimeOptions())


def test_an_opset_from_the_future_asks_for_a_newer_runtime(tmp_path):
    import onnx

    tiny_models.write_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    model.opset_import[0].version = 99
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(MissingDependency, match=r"older than the artifact"):
        get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions())


def test_a_provider_that_this_build_lacks_is_not_replaced_by_the_cpu(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    tiny_models.write_onnx(tmp_path / "m.onnx")
    with pytest.raises(MissingDependency, match=r"no CUDAExecutionProvider.*CPUExecutionProvider"):
        get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions(provider="cuda"))
    with pytest.raises(UsageError, match=r"did you mean 'cuda'"):
        get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions(provider="cdua"))


def test_affinity_holds_while_the_session_lives(tmp_path):
    tiny_models.write_onnx(tmp_path / "m.onnx")
    before = os.sched_getaffinity(0)
    cpu = min(before)
    session = get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions(affinity=(cpu,)))
    assert os.sched_getaffinity(0) == {cpu}
    session.close()
    assert os.sched_getaffinity(0) == before
    with pytest.raises(UsageError, match=r"not all there"):
        get_runtime("onnxruntime").load(tmp_path / "m.onnx", RuntimeOptions(affinity=(cpu, 4000)))
    assert os.sched_getaffinity(0) == before


def test_quantized_inputs_and_outputs_are_real_numbers_outside(tmp_path):
    scale = AffineQuantization(0.5, 3)
    stored = scale.quantize(np.asarray([-10.0, -1.5, 0.0, 0.26, 100.0, 1000.0], np.float32), "uint8")
    assert stored.tolist() == [0, 0, 3, 4, 203, 255]
    assert scale.dequantize(stored).tolist() == [-1.5, -1.5, 0.0, 0.5, 100.0, 126.0]


def test_profiles_name_the_operators(tmp_path, tflite):
    tiny_models.write_onnx(tmp_path / "m.onnx", layers=2)
    for name, path in (("onnxruntime", tmp_path / "m.onnx"), ("litert", tflite[0])):
        session = get_runtime(name).load(path, RuntimeOptions(profile=True))
        for _ in range(4):
            feeds = {
                tensor.name: np.zeros([size or 1 for size in tensor.shape], tensor.dtype) for tensor in session.inputs
            }
            session.raw_run(feeds)
        rows = session.operator_times()
        kinds = " ".join(row.kind for row in rows).lower()
        assert "conv" in kinds or "fully connected" in kinds, kinds
        assert all(row.mean_ms >= 0 and row.calls >= 3 for row in rows)
        session.close()


def test_a_session_without_profile_says_how_to_get_one(tmp_path, tflite):
    tiny_models.write_onnx(tmp_path / "m.onnx")
    for name, path in (("onnxruntime", tmp_path / "m.onnx"), ("litert", tflite[0])):
        with pytest.raises(UsageError, match=r"profile=True"):
            get_runtime(name).load(path, RuntimeOptions()).operator_times()
