"""From an artifact to its outputs: one interface to every runtime, free of torch."""

import os

# onnxruntime 1.29 and later report what runs to their maker, model names included, and leave files in the home folder,
# unless told not to before they are imported; this is the one package that is on the board too
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
