"""MNN: the package's own converter, from a lowered network's ONNX graph."""
