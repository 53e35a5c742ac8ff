"""PyTorch's compiler as a second reference on the host; its first inference compiles and takes long."""

from __future__ import annotations

from runtimes.torch_eager import TorchEager


class TorchCompile(TorchEager):
    """Runs checkpoints (.safetensors) through ``torch.compile``; needs a C++ compiler."""

    name = "torch-compile"
    compiled = True
