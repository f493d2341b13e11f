"""Warping by rows: what GridSample computes, in a fraction of the time on a CPU.

ONNX Runtime's GridSample looks at every channel of every pixel by itself. Here a position's
channels lie side by side, together with how they change to the right, downwards and both, so that
one `Gather` of a row and three multiplications are the bilinear sample. The rows are made from the
reference alone, so the encoder makes them, once a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


class GraphWriter:
    """Nodes and constants for a graph, named after what they stand for."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._prefix = prefix

    def constant(self, name: str, value: object, kind: type[np.generic]) -> str:
        """Add a constant; returns its name in the graph."""
        full = f"{self._prefix}/{name}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), full))
        return full

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        full = f"{self._prefix}/{name}"
        self.nodes.append(helper.make_node(kind, inputs, [full], name=full, **attributes))
        return full

    def cut(self, tensor: str, name: str, axis: int, start: int, end: int) -> str:
        """Add a slice along one axis."""
        bounds = [
            self.constant(f"{name}/{part}", [value], np.int64)
            for part, value in (("start", start), ("end", end), ("axis", axis))
        ]
        return self.add("Slice", [tensor, *bounds], name)


def shapes_of(model: ModelProto) -> dict[str, list[int]]:
    """Return the shape of every tensor of a model with fixed sizes."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = (*graph.value_info, *graph.input, *graph.output)
    return {entry.name: [d.dim_value for d in entry.type.tensor_type.shape.dim] for entry in known}


def use_rows(encoder: ModelProto, generator: ModelProto) -> None:
    """Replace every GridSample of a generator, batch 1, by a gather of rows.

    The encoder's features that were only warped become rows, (H * W, 4 * channels), and so do the
    reference's layers as far as they are warped; the two models keep fitting each other.
    """
    shapes = shapes_of(generator)
    made_by = {output: node for node in generator.graph.node for output in node.output}
    rows: dict[str, str] = {}
    nodes: list[NodeProto] = []
    for node in generator.graph.node:
        if node.op_type != "GridSample":
            nodes.append(node)
            continue
        source, grid = node.input
        if source not in rows:
            rows[source] = f"{_input_of(source, made_by)}_rows"
        writer = GraphWriter(node.output[0])
        planar = made_by[grid].input[0]  # before it was transposed to (1, H, W, 2)
        _sample(writer, rows[source], planar, shapes[source], node.output[0])
        nodes.extend(writer.nodes)
        generator.graph.initializer.extend(writer.constants)
    del generator.graph.node[:]
    generator.graph.node.extend(nodes)
    for source, name in rows.items():
        channels, size = shapes[source][1], shapes[source][2] * shapes[source][3]
        _make_rows(encoder, _input_of(source, made_by), name, shapes[source])
        shape = [size, 4 * channels]
        generator.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    prune(generator)
    _drop_unread_features(encoder, generator)


def prune(model: ModelProto) -> None:
    """Drop nodes, constants and shapes that no output needs; inputs stay."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    for field, values in ((graph.node, kept[::-1]), (graph.initializer, constants)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]


def _input_of(tensor: str, made_by: dict[str, NodeProto]) -> str:
    """Return the graph's input that a warped tensor is, or is the first channels of."""
    while tensor in made_by:
        if made_by[tensor].op_type != "Slice":
            raise ValueError(f"{tensor} is computed, not given: it cannot be kept as rows")
        tensor = made_by[tensor].input[0]
    return tensor


def _make_rows(encoder: ModelProto, source: str, name: str, shape: list[int]) -> None:
    """Let the encoder return a tensor's rows: value, change right, down, and of both."""
    _, channels, height, width = shape
    writer = GraphWriter(name)
    value = writer.cut(source, "value", 1, 0, channels)
    right = writer.add("Sub", [_next(writer, value, "right", 3), value], "rightward")
    down = writer.add("Sub", [_next(writer, value, "down", 2), value], "downward")
    both = writer.add("Sub", [_next(writer, right, "both", 2), right], "crosswise")
    stacked = writer.add("Concat", [value, right, down, both], "stacked", axis=1)
    last = writer.add("Transpose", [stacked], "channels_last", perm=[0, 2, 3, 1])
    size = writer.constant("size", [height * width, 4 * channels], np.int64)
    writer.nodes.append(helper.make_node("Reshape", [last, size], [name], name=name))
    graph = encoder.graph
    graph.node.extend(writer.nodes)
    graph.initializer.extend(writer.constants)
    rows = [height * width, 4 * channels]
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, rows))


def _next(writer: GraphWriter, tensor: str, name: str, axis: int) -> str:
    """Return a tensor shifted by one along an axis, its last line repeated."""
    rest = writer.cut(tensor, f"{name}/rest", axis, 1, 2**31)
    last = writer.cut(tensor, f"{name}/last", axis, -1, 2**31)
    return writer.add("Concat", [rest, last], name, axis=axis)


def _sample(writer: GraphWriter, rows: str, planar: str, shape: list[int], result: str) -> None:
    """Sample rows at a grid (1, 2, H, W) in [-1, 1], corners not aligned, edges repeated."""
    _, channels, height, width = shape
    size = np.reshape([width, height], (1, 2, 1, 1))
    scale = writer.constant("scale", size / 2, np.float32)
    shift = writer.constant("shift", size / 2 - 0.5, np.float32)
    pixels = writer.add("Add", [writer.add("Mul", [planar, scale], "scaled"), shift], "pixels")
    low = writer.constant("low", np.zeros_like(size), np.float32)
    high = writer.constant("high", size - 1, np.float32)
    inside = writer.add("Min", [writer.add("Max", [pixels, low], "above"), high], "inside")
    corner = writer.add("Floor", [inside], "corner")
    share = writer.add("Sub", [inside, corner], "share")
    strides = writer.constant("strides", np.reshape([1, width], (1, 2, 1, 1)), np.float32)
    axis = writer.constant("axis", [1], np.int64)
    ordered = writer.add("Mul", [corner, strides], "ordered")
    index = writer.add("ReduceSum", [ordered, axis], "index", keepdims=0)
    index = writer.add("Cast", [index], "whole", to=TensorProto.INT32)
    flat = writer.constant("flat", [-1], np.int64)
    index = writer.add("Reshape", [index, flat], "order")
    gathered = writer.add("Gather", [rows, index], "gathered", axis=0)
    planes = writer.add("Transpose", [gathered], "planes", perm=[1, 0])
    line = writer.constant("line", [1, height * width], np.int64)
    x, y = (
        writer.add(
            "Reshape", [writer.cut(share, f"share_{axis}", 1, number, number + 1), line], axis
        )
        for number, axis in enumerate("xy")
    )
    value, right, down, both = (
        writer.cut(planes, name, 0, number * channels, (number + 1) * channels)
        for number, name in enumerate(("value", "right", "down", "both"))
    )
    above = writer.add("Add", [value, writer.add("Mul", [right, x], "right_x")], "top")
    below = writer.add("Add", [down, writer.add("Mul", [both, x], "both_x")], "change")
    mixed = writer.add("Add", [above, writer.add("Mul", [below, y], "change_y")], "mixed")
    picture = writer.constant("picture", [1, channels, height, width], np.int64)
    writer.nodes.append(helper.make_node("Reshape", [mixed, picture], [result], name=result))


def _drop_unread_features(encoder: ModelProto, generator: ModelProto) -> None:
    """Drop features that nothing reads any more, and with them the generator's inputs."""
    read = {name for node in generator.graph.node for name in node.input}
    kept = {entry.name for entry in encoder.graph.output} & read
    given = {entry.name for entry in encoder.graph.output} - kept
    for field, names in ((encoder.graph.output, given), (generator.graph.input, given)):
        values = [entry for entry in field if entry.name not in names]
        del field[:]
        field.extend(values)
    prune(encoder)
