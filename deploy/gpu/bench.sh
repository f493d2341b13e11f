#!/usr/bin/env bash
# Measures the generator on a machine with a GPU and no network: what is installed is measured.
#
#   deploy/gpu/bench.sh [options of benchmarks.gpu]
#
# Needs Python with torch, onnx, onnxscript and onnxruntime; TensorRT, TensorRT for RTX and
# onnxruntime-gpu are measured where they are there. Results go to benchmarks/results/.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=python3
[[ ! -x .venv/bin/python ]] || python=.venv/bin/python
exec "$python" -m benchmarks.gpu "$@"
