"""ncnn: an own writer, from a lowered network's ONNX graph.

pnnx, the converter of the ncnn project, makes a crop of one channel of the gather that picks the attention's channels, and
does not say so; here every operator that has no counterpart is refused.
"""
