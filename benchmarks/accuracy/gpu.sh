#!/usr/bin/env bash
# One prepared run on a machine with a GPU and no network: the paper's comparison within a time limit, then ONNX Runtime's GPU providers.
# Everything is written as it comes; a second call goes on.
#   benchmarks/accuracy/gpu.sh CIFAR10 MINUTES OUT [WHEELS]
# CIFAR10: its Python folder or a tree of its images. WHEELS: a folder with the wheels of onnxruntime-gpu (and of tensorrt's libraries).
set -euo pipefail
cd "$(dirname "$0")/../.."
cifar=$1 minutes=$2 out=$3 wheels=${4:-}
python=${PYTHON:-python3}
mkdir -p "$out"
"$python" -c 'import torch; print("PyTorch", torch.__version__, "GPU:", torch.cuda.is_available() and torch.cuda.get_device_name())'
if [ -n "$wheels" ]; then  # the GPU build and the CPU build share one module name
  "$python" -m pip uninstall -q -y onnxruntime || true
  "$python" -m pip install -q --no-index --find-links "$wheels" onnxruntime-gpu
fi
status=0
# the providers first: they take a minute, and the comparison takes all that is left
timeout 180 "$python" -m benchmarks.export.providers --out "$out/providers" --images "$cifar" || status=$?
"$python" -m benchmarks.accuracy.scale --root "$cifar" --minutes "$minutes" --out "$out/accuracy-scale"
exit "$status"
