"""Quantization of artifacts: calibration, int8 and fp16 rewriting of ONNX and TFLite graphs, for dynamic kernels too."""
