"""The ONNX graph of all-MiniLM-L6-v2, built from its weights: BERT encoder, mean pooling, unit length.

Source: the architecture of Devlin et al. 2018 (post-norm encoder, exact GELU) with the sizes of the model's
`config.json` (6 layers, 384 wide, 12 heads, 1,536 inside), and the pooling of Reimers & Gurevych 2019. The graph has
two inputs `ids` and `mask`, int64 of shape (batch, tokens), and one output `vector`, float32 of shape (batch, 384).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant.errors import RunbookIndexError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

LAYERS, WIDTH, HEADS = 6, 384, 12
EPSILON = 1e-12
OPSET = 20
Weights = Mapping[str, NDArray[np.float32]]


def read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Tensors by name. The format is a little-endian u64 header length, a JSON header, then raw data (safetensors 0.4).

    Raises RunbookIndexError if it is not that, or holds a float type other than F32.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        header, start = json.loads(data[8 : 8 + length]), 8 + length
        tensors = {}
        for name, facts in header.items():
            if name == "__metadata__" or facts["dtype"] == "I64":
                continue
            if facts["dtype"] != "F32":
                raise ValueError(facts["dtype"])
            begin, end = facts["data_offsets"]
            tensors[name] = np.frombuffer(data[start + begin : start + end], np.float32).reshape(facts["shape"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunbookIndexError(f"the embedder's weights are not safetensors of F32 ({type(error).__name__})") from None
    return tensors


def build_graph(weights: Weights) -> ModelProto:
    """The whole model as one ONNX graph. Raises RunbookIndexError if a weight is missing."""
    from onnx import TensorProto, helper

    g = _Graph(weights)
    mask = g.op("Cast", "mask", to=TensorProto.FLOAT)
    x = _encoder(g, _embeddings(g), _attention_bias(g, mask))
    _pool(g, x, mask)
    ints, vector = [None, None], [None, WIDTH]
    graph = helper.make_graph(
        g.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ints) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, vector)],
        g.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


class _Graph:
    """Nodes and constants under construction; `op` appends a node and returns the name of its output."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: int | float | list[int] | str) -> str:
        from onnx import helper

        name = out or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> NDArray[np.float32]:
        try:
            return self.weights[name]
        except KeyError:
            raise RunbookIndexError(f"the embedder's weights lack {name}", mend="install the pinned package") from None

    def linear(self, x: str, name: str) -> str:
        product = self.op("MatMul", x, self.constant(self.weight(f"{name}.weight").T))
        return self.op("Add", product, self.constant(self.weight(f"{name}.bias")))

    def norm(self, x: str, name: str) -> str:
        scale, bias = (self.constant(self.weight(f"{name}.{part}")) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def _embeddings(g: _Graph) -> str:
    """Words plus positions plus the one segment type, normed. Positions are cut to the batch's length by Slice."""
    words = g.op("Gather", g.constant(g.weight("embeddings.word_embeddings.weight")), "ids")
    types = g.weight("embeddings.token_type_embeddings.weight")[0]
    places = g.constant(g.weight("embeddings.position_embeddings.weight") + types)
    zero, one, two = (g.constant(np.array([n], np.int64)) for n in (0, 1, 2))
    length = g.op("Slice", g.op("Shape", "ids"), one, two)
    positions = g.op("Slice", places, zero, length, zero)
    return g.norm(g.op("Add", words, positions), "embeddings.LayerNorm")


def _attention_bias(g: _Graph, mask: str) -> str:
    """0 where a token is, a large negative number where padding is; shape (batch, 1, 1, tokens)."""
    absent = g.op("Sub", g.constant(np.array(1, np.float32)), mask)
    bias = g.op("Mul", absent, g.constant(np.array(-1e9, np.float32)))
    return g.op("Unsqueeze", bias, g.constant(np.array([1, 2], np.int64)))


def _encoder(g: _Graph, x: str, bias: str) -> str:
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        attended = g.linear(_attention(g, x, bias, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
        x = g.norm(g.op("Add", attended, x), f"{layer}.attention.output.LayerNorm")
        inside = g.op("Gelu", g.linear(x, f"{layer}.intermediate.dense"))
        x = g.norm(g.op("Add", g.linear(inside, f"{layer}.output.dense"), x), f"{layer}.output.LayerNorm")
    return x


def _attention(g: _Graph, x: str, bias: str, name: str) -> str:
    """Scaled dot-product attention over heads (Vaswani et al. 2017, eq. 1)."""
    split = g.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    merge = g.constant(np.array([0, 0, WIDTH], np.int64))
    q, k, v = (g.op("Reshape", g.linear(x, f"{name}.{part}"), split) for part in ("query", "key", "value"))
    q, v = (g.op("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 2, 3, 1]))
    scaled = g.op("Mul", scores, g.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32)))
    weights = g.op("Softmax", g.op("Add", scaled, bias), axis=-1)
    return g.op("Reshape", g.op("Transpose", g.op("MatMul", weights, v), perm=[0, 2, 1, 3]), merge)


def _pool(g: _Graph, x: str, mask: str) -> None:
    """Mean over the tokens that are no padding, scaled to length 1; the result is named `vector`."""
    one, last = (g.constant(np.array([n], np.int64)) for n in (1, -1))
    wide = g.op("Unsqueeze", mask, last)
    total = g.op("ReduceSum", g.op("Mul", x, wide), one, keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", mask, one, keepdims=1))
    g.op("Div", mean, g.op("ReduceL2", mean, one, keepdims=1), out="vector")
