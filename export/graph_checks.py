"""What a saved graph must be, so that every server can run it in batches."""

from collections.abc import Iterator, Mapping
from typing import Any

from export.protos import (
    meta_graph_pb2,
    saved_model_pb2,
    types_pb2,
)
from tfvae.errors import FailedError

# {operation: what is wrong with it}
DENIED = {
    **dict.fromkeys(
        ("PyFunc", "PyFuncStateless", "EagerPyFunc"),
        "runs Python, which a server does not have",
    ),
    **dict.fromkeys(
        (
            "RandomStandardNormal", "RandomUniform", "RandomUniformInt",
            "TruncatedNormal", "ParameterizedTruncatedNormal", "Multinomial",
            "RandomGamma", "RandomPoisson", "RandomPoissonV2", "RandomShuffle",
            "StatefulStandardNormal", "StatefulStandardNormalV2",
            "StatefulUniform", "StatefulUniformFullInt", "StatefulUniformInt",
            "StatefulTruncatedNormal", "StatefulRandomBinomial",
            "RngSkip", "RngReadAndSkip",
        ),
        "draws from a hidden state, so that equal requests get unequal answers",
    ),
    **dict.fromkeys(
        ("Print", "PrintV2"), "writes to the log at every request"
    ),
    "Assert": "fails every request that shares the batch",
    "XlaLaunch": "needs XLA, which servers switch off",
}  # fmt: skip
MUST_COMPILE = "_XlaMustCompile"
# What REST can carry both ways.
CARRIED = {"DT_FLOAT", "DT_INT64", "DT_UINT8", "DT_STRING"}
TEXT_OUTPUTS = {"card"}  # all other strings are bytes
INIT_OP = "__saved_model_init_op"

Signatures = dict[str, meta_graph_pb2.SignatureDef]


def read_meta_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
    """Returns the graph in a saved_model.pb.

    Args:
      path: of the file.
    """
    with open(path, "rb") as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    (meta_graph,) = saved.meta_graphs
    return meta_graph


def signatures_of(meta_graph: meta_graph_pb2.MetaGraphDef) -> Signatures:
    """Returns what can be asked of a graph, by name."""
    named = dict(meta_graph.signature_def)
    named.pop(INIT_OP, None)
    return named


def check_operations(meta_graph: meta_graph_pb2.MetaGraphDef) -> int:
    """Checks that no operation fails, or misleads, in a server.

    Returns:
      num_operations: how many there are.

    Raises:
      FailedError: there is one; names it and says why it is refused.
    """
    count = 0
    for place, node in _nodes(meta_graph):
        count += 1
        if node.op in DENIED:
            raise FailedError(
                f"{place} holds a {node.op} ({node.name}), which "
                f"{DENIED[node.op]}; it was not published."
            )
        if node.attr[MUST_COMPILE].b:
            raise FailedError(
                f"{place} holds {node.name}, compiled by XLA, which servers "
                "switch off; it was not published."
            )
    return count


def check_signatures(
    signatures: Signatures, expected: Mapping[str, object]
) -> None:
    """Checks names, batch dimensions and dtypes.

    Args:
      signatures: of the saved graph.
      expected: those that it should have, by name.

    Raises:
      FailedError: one is missing, has an input or output without a free batch
        dimension, or of a dtype that REST cannot carry.
    """
    if set(signatures) != set(expected):
        raise FailedError(
            f"the saved signatures are {sorted(signatures)}, not "
            f"{sorted(expected)}; it was not published."
        )
    for name, signature in signatures.items():
        if not signature.inputs:
            raise FailedError(
                f"signature {name} has no input, so REST cannot call it; it "
                "was not published."
            )
        for side in (signature.inputs, signature.outputs):
            for alias, tensor in side.items():
                _check_tensor(f"{alias} of signature {name}", alias, tensor)


def _check_tensor(
    place: str, alias: str, tensor: meta_graph_pb2.TensorInfo
) -> None:
    dims = [dim.size for dim in tensor.tensor_shape.dim]
    if not dims or dims[0] != -1 or -1 in dims[1:]:
        raise FailedError(
            f"{place} has shape {dims}; its first dimension, and no other, "
            "must be free; it was not published."
        )
    dtype = types_pb2.DataType.Name(tensor.dtype)
    if dtype not in CARRIED:
        raise FailedError(
            f"{place} is {dtype}; REST carries {', '.join(sorted(CARRIED))}; "
            "it was not published."
        )
    is_bytes = dtype == "DT_STRING" and alias not in TEXT_OUTPUTS
    if is_bytes != alias.endswith("_bytes"):
        raise FailedError(
            f"{place} is {dtype}; bytes, and nothing else, must have a name "
            "that ends in _bytes; it was not published."
        )


def _nodes(
    meta_graph: meta_graph_pb2.MetaGraphDef,
) -> Iterator[tuple[str, Any]]:
    """Yields every node with the words for where it is."""
    for node in meta_graph.graph_def.node:
        yield "the graph", node
    for function in meta_graph.graph_def.library.function:
        for node in function.node_def:
            yield f"function {function.signature.name}", node
