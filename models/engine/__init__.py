"""What runs the generator: TensorRT, ONNX Runtime, OpenVINO, or PyTorch if it is asked for."""

from models.engine.choice import ENGINES
from models.engine.interface import (
    AUDIO_INPUT,
    DISPLACEMENT,
    ENCODER_INPUTS,
    FACE,
    FACES,
    GENERATOR_INPUTS,
    IMAGE,
    LAYERS,
    Engine,
    EngineUnavailableError,
    Floats,
    Reference,
)
from models.engine.weights import shipped

__all__ = [
    "AUDIO_INPUT",
    "DISPLACEMENT",
    "ENCODER_INPUTS",
    "ENGINES",
    "FACE",
    "FACES",
    "GENERATOR_INPUTS",
    "IMAGE",
    "LAYERS",
    "Engine",
    "EngineUnavailableError",
    "Floats",
    "Reference",
    "shipped",
]
