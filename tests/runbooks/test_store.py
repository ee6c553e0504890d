"""The stored level, against a real embedded Chroma and (slow) a real Chroma server on loopback."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import RunbookIndexError
from assistant.runbook_index import chroma_store
from assistant.runbook_index.cache import Cache
from assistant.runbook_index.chroma_store import CANDIDATES, ChromaStore
from assistant.runbook_index.embedder import Embedder
from assistant.runbook_index.open import open_files, open_in_process, open_index
from assistant.runbook_index.vectors import MatrixVectors, best_mean
from tests.runbooks.conftest import SHIPPED, needs_weights

QUESTIONS = ("bank does not answer", "people paid twice for the same order", "cannot detokenise", "disk is full")


class CountingEmbedder:
    """Unit vectors made of a text's bytes; counts what it was asked. For the store and the cache, not for ranking."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        out = np.array([np.bincount(np.frombuffer(t.encode() or b" ", np.uint8), minlength=384)[:384] for t in texts])
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> CountingEmbedder:
    counting = CountingEmbedder()
    monkeypatch.setattr("assistant.runbook_index.stored.Embedder", lambda folder: counting)
    return counting


def test_only_changed_files_are_embedded_again_and_each_version_is_whole(write, tmp_path, redactor, embedder) -> None:
    for n in range(3):
        write(f"Book{n}", f"Text number {n}.")
    folder = tmp_path / "books"
    index = open_index(dirs=[folder], state=tmp_path, redactor=redactor, dense=True)
    first = len(embedder.asked)
    assert first >= 3
    assert index.refresh() is False
    assert len(embedder.asked) == first
    write("Book1", "Another text.")
    old = index.view
    assert index.refresh() is True
    assert 0 < len(embedder.asked) - first < first
    assert old.ranked and index.view is not old
    index.close()
    again = open_index(dirs=[folder], state=tmp_path, redactor=redactor, dense=True)
    assert again.library.version == index.library.version
    again.close()


def test_the_old_version_answers_when_the_new_one_cannot_be_built(
    write, tmp_path, redactor, embedder, monkeypatch
) -> None:
    write("Book", "Text.")
    index = open_index(dirs=[tmp_path / "books"], state=tmp_path, redactor=redactor, dense=True)
    write("Second", "More.")

    def broken(*_: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(chroma_store, "_fill", broken)
    with pytest.raises(RunbookIndexError, match="cannot be filled"):
        index.refresh()
    assert [p.title for p in index.find(alerts=(), question="Book", findings_text="").passages] in ([], ["Book"])
    assert [r.title for r in index.library.runbooks] == ["Book"]
    index.close()


def test_a_half_filled_collection_is_never_read(tmp_path: Path) -> None:
    vectors = MatrixVectors(CountingEmbedder().embed(["a", "b", "c"]), [0, 1, 1], size=2, embedder=None)  # type: ignore[arg-type]
    store = ChromaStore(folder=tmp_path)
    half = store._client.create_collection("payops-runbooks-" + "v" * 24, metadata={"complete": False})
    half.add(ids=["0.0"], embeddings=vectors.matrix[:1])
    assert store.ensure("v" * 64, vectors).count() == 3
    assert store.ensure("v" * 64, vectors).metadata["complete"] is True
    store.close()


def test_two_that_fill_at_once_end_with_one_collection(tmp_path: Path, monkeypatch) -> None:
    """The other replica begins and ends while ours is being filled: neither loses what it fills."""
    vectors = MatrixVectors(CountingEmbedder().embed(["a", "b", "c"]), [0, 1, 1], size=2, embedder=None)  # type: ignore[arg-type]
    store, fill, theirs = ChromaStore(folder=tmp_path), chroma_store._fill, []

    def interrupted(collection, given) -> None:
        monkeypatch.setattr(chroma_store, "_fill", fill)
        theirs.append(store.ensure("v" * 64, vectors))
        fill(collection, given)

    monkeypatch.setattr(chroma_store, "_fill", interrupted)
    mine = store.ensure("v" * 64, vectors)
    assert mine.name == theirs[0].name
    assert [c.name for c in store._client.list_collections()] == [mine.name]
    assert mine.count() == 3
    store.close()


def test_what_was_left_half_filled_goes_after_an_hour(tmp_path: Path, monkeypatch) -> None:
    vectors = MatrixVectors(CountingEmbedder().embed(["a"]), [0], size=1, embedder=None)  # type: ignore[arg-type]
    store = ChromaStore(folder=tmp_path)
    for name, age in (("dead", 7200), ("alive", 60)):
        begun = {"complete": False, "begun": int(time.time()) - age}
        store._client.create_collection("payops-runbooks-" + "v" * 24 + f"-{name}", metadata=begun)
    kept = store.ensure("v" * 64, vectors)
    store.prune()
    assert {c.name for c in store._client.list_collections()} == {kept.name, "payops-runbooks-" + "v" * 24 + "-alive"}
    store.close()


def test_old_versions_are_dropped_and_the_one_before_is_kept(tmp_path: Path) -> None:
    vectors = MatrixVectors(CountingEmbedder().embed(["a"]), [0], size=1, embedder=None)  # type: ignore[arg-type]
    store = ChromaStore(folder=tmp_path)
    for version in "abcd":
        store.ensure(version * 64, vectors)
    store.prune()
    left = {c.name.removeprefix("payops-runbooks-")[0] for c in store._client.list_collections()}
    assert left == {"c", "d"}
    store.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    store = ChromaStore(folder=tmp_path)
    code = "import sys, pathlib, assistant.runbook_index.chroma_store as c; c._lock(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "another process has the embedded runbook index open" in done.stderr
    store.close()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_absent_weights_warn_and_words_go_on_alone(write, tmp_path, redactor) -> None:
    write("KafkaLag", "Consumers of a topic are behind.")
    index = open_index(
        dirs=[tmp_path / "books"], state=tmp_path, redactor=redactor, dense=True, weights_dir=tmp_path / "absent"
    )
    assert "ranked by words alone" in index.warnings[0] and "requirements-embedder.txt" in index.warnings[0]
    assert index.search("consumers of a topic are behind")[0][0].title == "KafkaLag"


def test_a_store_that_fails_under_a_question_leaves_words_and_says_so(write, tmp_path, redactor, embedder) -> None:
    write("KafkaLag", "Consumers of a topic are behind.")
    index = open_index(dirs=[tmp_path / "books"], state=tmp_path, redactor=redactor, dense=True)

    class Gone:
        def query(self, **_: object) -> None:
            raise ValueError("collection is gone")

    index.view.vectors._collection = Gone()  # type: ignore[union-attr]
    assert index.search("consumers of a topic are behind")[0][0].title == "KafkaLag"
    assert "ranked by words alone" in index.warnings[0]
    index.close()


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://"])
def test_a_wrong_server_address_is_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(RunbookIndexError, match="is not http"):
        ChromaStore(folder=tmp_path, url=url)


def test_best_mean_takes_two_of_many_one_of_one_and_the_floor_of_none() -> None:
    means = best_mean(np.array([0.1, 0.9, 0.5, 0.3]), np.array([0, 0, 0, 2]), size=3, floor=0.05)
    assert means.tolist() == pytest.approx([0.7, 0.05, 0.3])
    assert best_mean(np.array([]), np.array([], np.int64), size=2, floor=0.0).tolist() == [0, 0]


@needs_weights
def test_chroma_ranks_the_shipped_runbooks_as_exact_cosines_do(tmp_path: Path, redactor) -> None:
    state = tmp_path / "state"
    some = [SHIPPED / "acquirer-connector"]
    stored = open_index(dirs=some, state=state, redactor=redactor, dense=True)
    exact = open_in_process(dirs=some, state=state, redactor=redactor)
    for question in QUESTIONS:
        ours, theirs = ([p for p, _ in index.ranking(question, 5)] for index in (stored, exact))
        assert ours == theirs
    assert 20 < stored.view.vectors._collection.count() <= CANDIDATES  # type: ignore[union-attr]
    stored.close()


@needs_weights
def test_vectors_are_kept_by_content(tmp_path: Path, redactor, write) -> None:
    write("A", "Text of A.")
    cache = Cache(tmp_path / "v.sqlite")
    real = Embedder()
    first = cache.vectors(["x", "y", "x"], model="m", embed=real.embed)

    def never(texts: object) -> np.ndarray:
        raise AssertionError("embedded again")

    assert np.array_equal(cache.vectors(["x", "y", "x"], model="m", embed=never), first)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        cache.vectors(["x"], model="other", embed=never)  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_replicas_share_a_chroma_server(write, tmp_path, redactor, embedder) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "chroma"),
        "run",
        "--path",
        str(tmp_path / "served"),
        "--port",
        str(port),
    ]
    server = subprocess.Popen([*command, "--host", "127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        write("KafkaLag", "Consumers of a topic are behind.")
        url = f"http://127.0.0.1:{port}"
        one, two = (
            open_index(dirs=[tmp_path / "books"], state=tmp_path / name, redactor=redactor, url=url) for name in "ab"
        )
        assert one.search("topic behind") == two.search("topic behind")
        assert not one.warnings and not two.warnings
        server.terminate()
        server.wait(10)
        assert one.search("consumers of a topic are behind")[0][0].title == "KafkaLag"
        assert "ranked by words alone" in one.warnings[0]
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(10)


def _wait(port: int) -> None:
    for _ in range(1200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the Chroma server did not come up")


def test_open_files_needs_no_folder(tmp_path: Path, redactor) -> None:
    assert open_files([], state=tmp_path, redactor=redactor).search("x") == ((), 0.0)


COLD = """
import sys, time
import numpy as np
from pathlib import Path
import assistant.runbook_index.stored as stored
import assistant.runbook_index.cache as cache
from assistant.runbook_index.open import open_index
from redaction import Redactor

class Slow:
    def __init__(self, folder): self.asked = 0
    def embed(self, texts):
        self.asked += len(texts)
        print(self.asked, flush=True)
        if self.asked > int(sys.argv[3]): time.sleep(600)
        out = np.array([np.bincount(np.frombuffer(t.encode(), np.uint8), minlength=384)[:384] for t in texts])
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)

cache.BLOCK = 8
stored.Embedder = Slow
index = open_index(dirs=[Path(sys.argv[1])], state=Path(sys.argv[2]), redactor=Redactor.default(), dense=True)
print("whole", len(index.library.runbooks), index.view.vectors._collection.count(), flush=True)
index.close()
"""


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_where_it_was(write, tmp_path: Path) -> None:
    for n in range(40):
        write(f"Book{n}", f"Text number {n}.")
    command = [sys.executable, "-c", COLD, str(tmp_path / "books"), str(tmp_path / "state")]
    killed = subprocess.Popen([*command, "16"], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    seen = [int(line) for _, line in zip(range(3), killed.stdout, strict=False)]
    killed.kill()
    killed.wait()
    killed.stdout.close()
    assert seen == [8, 16, 24]
    again = subprocess.run([*command, "1000000"], capture_output=True, text=True, check=True, timeout=300)
    *counts, whole = again.stdout.splitlines()
    chunks = int(whole.split()[2])
    assert whole == f"whole 40 {chunks}" and chunks == 80
    different = 40 + 1  # each opening, and the steps that all share
    assert int(counts[-1]) == different - 16  # what was embedded before the kill is not embedded again


def test_questions_are_answered_by_one_whole_version_while_the_index_is_built_again(
    write, tmp_path: Path, redactor, embedder
) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    for n in range(12):
        write(f"Book{n}", "first edition of the text")
    index = open_index(dirs=[tmp_path / "books"], state=tmp_path / "state", redactor=redactor, dense=True)
    done = Event()

    def ask() -> list[set[str]]:
        editions = []
        while not done.is_set():
            found = index.search("edition of the text", 12)[0]
            editions.append({p.text.text.split()[0] for p in found})
        return editions

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        for edition in ("second", "third", "fourth"):
            for n in range(12):
                write(f"Book{n}", f"{edition} edition of the text")
            assert index.refresh() is True
        done.set()
    seen = [editions for future in asked for editions in future.result()]
    assert seen and all(len(editions) == 1 for editions in seen)
    assert index.search("edition", 1)[0][0].text.text.startswith("fourth")
    index.close()
