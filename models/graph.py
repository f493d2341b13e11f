"""What is done to an exported graph before it is shipped."""

from __future__ import annotations

from onnx import ModelProto


def strip(model: ModelProto) -> None:
    """Remove what the exporter noted of the machine it ran on: stack traces, paths, names."""
    graph = model.graph
    for part in (model, graph):
        part.doc_string = ""
        del part.metadata_props[:]
    entries = (*graph.node, *graph.input, *graph.output, *graph.initializer)
    for entry in entries:
        entry.doc_string = ""
        del entry.metadata_props[:]
    # Shapes in between are inferred by whoever wants them.
    del graph.value_info[:]
