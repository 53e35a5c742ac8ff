"""Quantization of TFLite graphs."""
