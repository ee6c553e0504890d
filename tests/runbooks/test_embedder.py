import math
import shutil

import numpy as np
import pytest

from assistant.errors import RunbookIndexError
from assistant.runbook_index.embedder import Embedder, weights_folder
from assistant.runbook_index.graph import HEADS, LAYERS, WIDTH, build_graph, read_safetensors
from tests.runbooks.conftest import needs_weights

TEXTS = ("issuer or switch inoperative", "91", "Consumers of one topic are behind. " * 8)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def reference(weights, ids: list[int]) -> np.ndarray:
    """The same model in numpy, written from the papers and not from the graph."""

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x):
        return x.reshape(len(ids), HEADS, WIDTH // HEADS).transpose(1, 0, 2)

    table = {p: weights[f"embeddings.{p}_embeddings.weight"] for p in ("word", "position", "token_type")}
    x = norm(table["word"][ids] + table["position"][: len(ids)] + table["token_type"][0], "embeddings.LayerNorm")
    erf = np.vectorize(math.erf)
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        q, k, v = (heads(linear(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True)) @ v
        attended = linear(mixed.transpose(1, 0, 2).reshape(len(ids), WIDTH), f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
        inside = linear(x, f"{layer}.intermediate.dense")
        inside = inside * 0.5 * (1 + erf(inside / math.sqrt(2)))
        x = norm(x + linear(inside, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


@needs_weights
def test_the_graph_gives_what_the_model_gives_in_numpy(embedder: Embedder) -> None:
    folder = weights_folder()
    assert folder is not None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    weights = read_safetensors((folder / "model.safetensors").read_bytes())
    for text, row in zip(TEXTS, embedder.embed(TEXTS), strict=True):
        assert np.abs(reference(weights, tokenizer.encode(text).ids) - row).max() < 2e-6


@needs_weights
def test_the_graph_is_valid_onnx() -> None:
    import onnx

    folder = weights_folder()
    assert folder is not None
    onnx.checker.check_model(build_graph(read_safetensors((folder / "model.safetensors").read_bytes())))


@needs_weights
def test_padding_and_order_change_no_vector(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.stack([embedder.embed([text])[0] for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-6
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert together[0] @ together[2] < 0.5


@needs_weights
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_one_changed_byte_is_refused(tmp_path, name: str) -> None:
    folder = weights_folder()
    assert folder is not None
    for file in ("model.safetensors", "tokenizer.json"):
        shutil.copy(folder / file, tmp_path / file)
    data = bytearray((tmp_path / name).read_bytes())
    data[-20] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RunbookIndexError, match="is not the pinned one"):
        Embedder(tmp_path)


def test_absent_weights_are_a_line_with_the_mend(tmp_path) -> None:
    with pytest.raises(RunbookIndexError, match=r"requirements-embedder\.txt"):
        Embedder(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 100, (9).to_bytes(8, "little") + b'{"a": 1}x'])
def test_garbage_is_not_safetensors(data: bytes) -> None:
    with pytest.raises(RunbookIndexError, match="not safetensors"):
        read_safetensors(data)
