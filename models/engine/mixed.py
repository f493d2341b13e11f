"""From the exported FP32 network to one in mixed precision, and to other batches.

TensorRT for RTX takes the precision of every tensor from the ONNX file. Convolutions and what lies
directly behind them are computed in half precision; instance norms, everything that leads to a
sampling grid, the samples themselves and the last layer's colours stay in FP32, because half
precision loses small variances and fractions of pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.engine.interface import EngineUnavailableError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# These follow the precision of what they are given.
_FOLLOWING = {"Relu", "LeakyRelu", "Add", "Mul", "Split", "DepthToSpace", "Pad", "Concat"}
# These pass a grid on; behind them a convolution begins what may be in half precision again.
_SPLIT_AT = {"Conv"}


def read_model(path: Path) -> ModelProto:
    """Return a network for changing.

    Raises:
        EngineUnavailableError: the package `onnx` is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise EngineUnavailableError("the package onnx is not installed") from error
    model: ModelProto = onnx.load(path)
    return model


def set_batch(model: ModelProto, batch: int) -> None:
    """Make a network of batch 1 one of another fixed batch."""
    from onnx import numpy_helper

    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = batch
    sizes = {node.input[3] for node in model.graph.node if node.op_type == "Resize"}
    for constant in model.graph.initializer:
        if constant.name in sizes:
            value = numpy_helper.to_array(constant).copy()
            value[0] = batch
            constant.CopyFrom(numpy_helper.from_array(value, constant.name))
    del model.graph.value_info[:]


def to_mixed(model: ModelProto) -> None:
    """Put a network's convolutions into FP16; inputs and outputs stay FP32.

    BF16 would need opset 22 for its convolutions.
    """
    graph = model.graph
    single = _must_stay_single(list(graph.node))
    casts = _Casts(model)
    for node in graph.node:
        given_half = any(name in casts.half for name in node.input)
        follows = node.op_type == "Conv" or (node.op_type in _FOLLOWING and given_half)
        if follows and node.name not in single:
            for place in _numbers(node):
                node.input[place] = casts.to_half(node.input[place])
            casts.half.update(node.output)
        else:
            for place, name in enumerate(node.input):
                node.input[place] = casts.to_single(name)
        casts.nodes.append(node)
    casts.finish()


class _Casts:
    """The nodes of a graph as they are rewritten, and the casts between them."""

    def __init__(self, model: ModelProto) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._kinds, self._helper, self._numpy = TensorProto, helper, numpy_helper
        self._graph = model.graph
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._made: dict[str, str] = {}
        self.half: set[str] = set()
        self.nodes: list[NodeProto] = []

    def to_half(self, name: str) -> str:
        """Return the FP16 form of a tensor, cast once."""
        if not name or name in self.half:
            return name
        if name not in self._made and name in self._constants:
            value = self._numpy.to_array(self._constants[name]).astype(np.float16)
            self._made[name] = f"{name}/half"
            self._graph.initializer.append(self._numpy.from_array(value, f"{name}/half"))
        return self._cast(name, f"{name}/half", self._kinds.FLOAT16)

    def to_single(self, name: str) -> str:
        """Return the FP32 form of a tensor, cast once."""
        return self._cast(name, f"{name}/single", self._kinds.FLOAT) if name in self.half else name

    def finish(self) -> None:
        """Put the nodes into the graph, outputs in FP32 under their own names."""
        for output in self._graph.output:
            if output.name in self.half:
                inner = f"{output.name}/inner"
                for node in self.nodes:
                    for names in (node.input, node.output):
                        for place, given in enumerate(names):
                            names[place] = inner if given == output.name else given
                self._made.pop(output.name, None)
                cast = self._helper.make_node(
                    "Cast", [inner], [output.name], name=output.name, to=self._kinds.FLOAT
                )
                self.nodes.append(cast)
        read = {name for node in self.nodes for name in node.input}
        constants = [one for one in self._graph.initializer if one.name in read]
        for field, values in (
            (self._graph.node, self.nodes),
            (self._graph.initializer, constants),
            (self._graph.value_info, []),
        ):
            del field[:]
            field.extend(values)

    def _cast(self, name: str, result: str, kind: int) -> str:
        if name not in self._made:
            self._made[name] = result
            self.nodes.append(
                self._helper.make_node("Cast", [name], [result], name=result, to=kind)
            )
        return self._made[name]


def _numbers(node: NodeProto) -> list[int]:
    """Return which of a node's inputs are its numbers; the others say how, not what."""
    if node.op_type == "Pad":
        return [0, 2] if len(node.input) > 2 else [0]
    return [0] if node.op_type == "Split" else list(range(len(node.input)))


def _must_stay_single(nodes: list[NodeProto]) -> set[str]:
    """Return the names of the nodes between a convolution and a grid or the picture."""
    made_by = {output: node for node in nodes for output in node.output}
    used = {name for node in nodes for name in node.input}
    grids = [node.input[1] for node in nodes if node.op_type == "GridSample"]
    pictures = [name for node in nodes for name in node.output if name not in used]
    single: set[str] = set()
    # Grids come last here and so first off the list: what they mark, pictures then pass by.
    waiting = [(name, False) for name in pictures] + [(name, True) for name in grids]
    while waiting:
        name, is_grid = waiting.pop()
        node = made_by.get(name)
        if node is None or node.name in single:
            continue
        if node.op_type in _SPLIT_AT:
            # The flow's last convolution makes fractions of pixels; the picture's may round.
            if is_grid:
                single.add(node.name)
            continue
        single.add(node.name)
        waiting += [(given, is_grid) for given in node.input]
    return single
