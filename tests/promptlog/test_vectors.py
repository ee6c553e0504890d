"""Published vectors: certificate-transparency's tree of eight leaves, Go's signed note, C2SP's forms."""

from __future__ import annotations

import pytest

from assistant.errors import LogInconsistent
from assistant.promptlog.checkpoint import (
    Signature,
    SignedNote,
    Verifier,
    format_note,
    parse_note,
    parse_proof,
    parse_vkey,
)
from assistant.promptlog.keys import parse_signing_key
from assistant.promptlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.promptlog.trees import reader

# From the reference implementation of RFC 6962 (certificate-transparency, merkletree tests).
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
}
CONSISTENCY = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
HASHES = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]

# golang.org/x/mod/sumdb/note, note_test.go
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_roots(size: int) -> None:
    frontier = Frontier()
    for leaf in HASHES[:size]:
        frontier.append(leaf)
    assert frontier.root().hex() == ROOTS[size - 1] == root_of(HASHES[:size]).hex()


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion(place: tuple[int, int]) -> None:
    index, size = place
    proof = inclusion_proof(index, size, reader(HASHES))
    assert [h.hex() for h in proof] == list(INCLUSION[place])
    verify_inclusion(index, size, HASHES[index], proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency(sizes: tuple[int, int]) -> None:
    old, new = sizes
    proof = consistency_proof(old, new, reader(HASHES))
    assert [h.hex() for h in proof] == list(CONSISTENCY[sizes])
    old_root, new_root = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    verify_consistency(old, new, proof, old_root=old_root, new_root=new_root)


def test_go_note_is_read_and_its_signature_holds() -> None:
    note, key = parse_note(NOTE), parse_vkey(VKEY)
    assert note.text == TEXT and note.signatures[0].key_id == key.key_id()
    assert key.check(TEXT.encode(), note.signatures[0].value)


def test_signing_with_go_key_gives_go_note_byte_for_byte() -> None:
    signer = parse_signing_key(SKEY)
    assert str(signer.key) == VKEY
    signature = Signature(signer.key.name, signer.key.key_id(), signer.sign(TEXT.encode()))
    assert format_note(SignedNote(TEXT, (signature,))) == NOTE


def test_no_part_and_no_mangling_of_a_key_is_a_key() -> None:
    parts = [VKEY[i:j] for i in range(len(VKEY)) for j in range(i + 1, len(VKEY) + 1) if (i, j) != (0, len(VKEY))]
    mangled = [VKEY[:i] + chr(ord(VKEY[i]) + 1) + VKEY[i + 1 :] for i in range(len(VKEY))]
    wrong_length = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
    other_algorithm = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    for text in (*parts, *mangled, wrong_length, other_algorithm):
        with pytest.raises(LogInconsistent):
            parse_vkey(text)


def test_the_key_id_of_a_timestamped_signature_differs() -> None:
    key = parse_vkey(VKEY)
    assert key.key_id(4) != key.key_id(1)
    assert str(Verifier(key.name, key.public)) == VKEY


def test_c2sp_proof_form() -> None:
    """The shape of the example in tlog-proof.md: extra, index, hashes, an empty line, the checkpoint."""
    lines = ("c2sp.org/tlog-proof@v1", "extra YWdl", "index 5", *(_b64(h) for h in INCLUSION[(5, 8)]))
    proof = parse_proof("\n".join(lines) + "\n\n" + NOTE)
    assert (proof.index, proof.extra, proof.checkpoint) == (5, b"age", NOTE)
    verify_inclusion(5, 8, HASHES[5], proof.path, bytes.fromhex(ROOTS[7]))


def _b64(hexed: str) -> str:
    import base64

    return base64.b64encode(bytes.fromhex(hexed)).decode()
