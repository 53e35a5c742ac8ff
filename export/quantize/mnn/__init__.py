"""MNN files with their weights in float16."""
