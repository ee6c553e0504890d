"""Every tree of up to 33 leaves, every index, every pair of sizes; and that nothing else proves it."""

from __future__ import annotations

import hashlib

import pytest

from assistant.promptlog.merkle import (
    Frontier,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peak_places,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.promptlog.trees import reader

MOST = 33
LEAVES = [leaf_hash(str(n).encode()) for n in range(MOST)]
OTHER = hashlib.sha256(b"other").digest()
ROOTS = [root_of(LEAVES[:n]) for n in range(MOST + 1)]
NODE = reader(LEAVES)


def test_a_node_is_no_leaf() -> None:
    left, right = LEAVES[0], LEAVES[1]
    assert node_hash(left, right) != leaf_hash(left + right)


@pytest.mark.parametrize("size", range(MOST + 1))
def test_the_frontier_gives_the_root_by_definition(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    assert frontier.root() == ROOTS[size] == root_at(size, NODE)
    assert [NODE(level, i) for level, i in peak_places(0, size)] == frontier.peaks


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_inclusion_proof_proves_its_record_and_nothing_else(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(index, size, NODE)
        verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
        wrong = [
            (index, size, OTHER, proof, ROOTS[size]),
            (index, size, LEAVES[index], proof, OTHER),
            (index, size, LEAVES[index], (*proof, OTHER), ROOTS[size]),
            (size, size, LEAVES[index], proof, ROOTS[size]),
            (-1, size, LEAVES[index], proof, ROOTS[size]),
        ]
        if proof:
            wrong += [
                (index, size, LEAVES[index], proof[:-1], ROOTS[size]),
                (index, size, LEAVES[index], (OTHER, *proof[1:]), ROOTS[size]),
                ((index + 1) % size, size, LEAVES[index], proof, ROOTS[size]),
            ]
        for case in wrong:
            with pytest.raises(ProofError):
                verify_inclusion(*case)


@pytest.mark.parametrize("new", range(1, MOST + 1))
def test_every_consistency_proof_proves_its_pair_and_nothing_else(new: int) -> None:
    for old in range(1, new + 1):
        proof = consistency_proof(old, new, NODE)
        verify_consistency(old, new, proof, old_root=ROOTS[old], new_root=ROOTS[new])
        for bad in ((*proof, OTHER), proof[:-1] if proof else (OTHER,)):
            with pytest.raises(ProofError):
                verify_consistency(old, new, bad, old_root=ROOTS[old], new_root=ROOTS[new])
        for old_root, new_root in ((OTHER, ROOTS[new]), (ROOTS[old], OTHER)):
            with pytest.raises(ProofError):
                verify_consistency(old, new, proof, old_root=old_root, new_root=new_root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_there_is_no_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        inclusion_proof(index, size, NODE)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_consistency_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        consistency_proof(old, new, NODE)
    with pytest.raises(ProofError):
        verify_consistency(old, new, (), old_root=OTHER, new_root=OTHER if old != new else ROOTS[1])
