"""The HeadGAN generator: networks, training, export and the engines that run it."""

import os

# ONNX Runtime's package tells its maker which machine and program run it, from its first import
# on, and keeps a database of it in the home folder. A call is nobody else's business. Who wants
# to help them sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
