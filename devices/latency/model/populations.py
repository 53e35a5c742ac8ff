"""Which calibrations learn from each other: the same runtime and kind of arithmetic, on all boards."""

from __future__ import annotations

from dataclasses import dataclass

from devices.latency.model.measurements import MeasurementConditions


@dataclass(frozen=True)
class Population:
    """Calibrations that share costs.

    Attributes:
        name: of the population.
        runtimes: names in the measurements.
        precisions: names in the measurements.
        processor: cpu or gpu.
        winograd: whether the runtime has fast 3x3 convolutions.
        legacy: whether response normalisation and many pools are among the measured networks.
        format: which artifact of a network its features are read from.
    """

    name: str
    runtimes: tuple[str, ...]
    precisions: tuple[str, ...]
    processor: str = "cpu"
    winograd: bool = False
    legacy: bool = False
    format: str = "onnx"

    def holds(self, conditions: MeasurementConditions) -> bool:
        """Whether a calibration belongs here."""
        return (
            conditions.runtime in self.runtimes
            and conditions.precision in self.precisions
            and conditions.processor == self.processor
        )


POPULATIONS = (
    Population("tflite-fp32", ("TFLite",), ("fp32", "fp16"), format="tflite"),
    Population("tflite-int8", ("TFLite",), ("int8",), format="tflite-int8"),
    Population("armnn-fp32", ("ArmNN-Neon",), ("fp32",), winograd=True),
    Population("armnn-int8", ("ArmNN-Neon",), ("int8",), format="tflite-int8"),
    Population("armnn-gpu-fp32", ("ArmNN-OpenCL",), ("fp32",), "gpu", winograd=True),
    Population("armnn-gpu-int8", ("ArmNN-OpenCL",), ("int8",), "gpu", format="tflite-int8"),
    Population("ncnn-float", ("ncnn", "MNN"), ("fp32", "fp16"), winograd=True, legacy=True),
    Population("ncnn-int8", ("ncnn",), ("int8",), winograd=True, legacy=True),
    Population("ncnn-gpu", ("ncnn-vulkan",), ("fp16",), "gpu", winograd=True, legacy=True),
    Population(
        "xnnpack", ("TFLite-XNNPACK", "XNNPACK(end2end_bench)", "ExecuTorch-XNNPACK"), ("fp32",), format="tflite"
    ),
    Population("xnnpack-int8", ("TFLite-XNNPACK", "ExecuTorch-XNNPACK"), ("int8",), format="tflite-int8"),
    Population("onnx", ("ONNXRuntime", "OpenVINO", "OpenCV-DNN"), ("fp32",), legacy=True),
    Population("pytorch", ("PyTorch", "TorchScript"), ("fp32",)),
    Population("tengine", ("Tengine-Lite",), ("fp32",), winograd=True, legacy=True),
    Population(
        "nvidia-gpu",
        ("TensorRT", "TensorRT(torch2trt)", "PyTorch", "TensorFlow", "TorchScript", "ONNXRuntime-CUDA"),
        ("fp32", "fp16", "int8"),
        "gpu",
        winograd=True,
    ),
)


def population_of(conditions: MeasurementConditions) -> Population | None:
    """The population of a calibration; None where nothing of the kind is known."""
    return next((p for p in POPULATIONS if p.holds(conditions)), None)
