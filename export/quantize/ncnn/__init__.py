"""ncnn networks with their weights in float16."""
