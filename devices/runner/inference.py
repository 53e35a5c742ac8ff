"""Run one shard of images and hand the outputs back, with a hash that proves the inputs were the host's."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtimes.protocol import Array, Session


def run_shard(session: Session, message: dict[str, Any]) -> dict[str, Any]:
    """Run the images of a file one at a time, as they will be at work.

    Args:
        session: the loaded artifact.
        message: ``pixels``: uint8, base64; ``images``: their shape (N, H, W, C); ``scale`` and ``shift``: per
            channel, float32; ``output``: the name of the output that is wanted, None for the first.

    Returns:
        ``outputs``: that output of all images, float32 (N, …), base64; ``shape``: of it; ``input_sha256``: of
        the normalised inputs, float32 NCHW, to be compared with the host's.
    """
    import numpy as np

    pixels = np.frombuffer(base64.b64decode(message["pixels"]), dtype=np.uint8).reshape(message["images"])
    inputs = normalize(pixels, message["scale"], message["shift"])
    output_name = message.get("output")
    position = 0 if output_name is None else [tensor.name for tensor in session.outputs].index(output_name)
    outputs = [session.run(inputs[index : index + 1])[position] for index in range(len(inputs))]
    joined = np.concatenate(outputs).astype(np.float32)
    return {
        "outputs": base64.b64encode(joined.tobytes()).decode(),
        "shape": list(joined.shape),
        "input_sha256": hashlib.sha256(inputs.tobytes()).hexdigest(),
    }


def normalize(pixels: Array, scale: list[float], shift: list[float]) -> Array:
    """Pixels uint8 (N, H, W, C) to float32 (N, C, H, W), bit for bit as `eamdeploy.data.preprocessing` does it."""
    import numpy as np

    real = pixels.astype(np.float32) * np.asarray(scale, dtype=np.float32) + np.asarray(shift, dtype=np.float32)
    return np.ascontiguousarray(real.transpose(0, 3, 1, 2))
