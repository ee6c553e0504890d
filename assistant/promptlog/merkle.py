"""The Merkle tree of RFC 6962, section 2.1, as C2SP tlog-tiles uses it.

A leaf hash is SHA-256(0x00 || leaf), a node hash SHA-256(0x01 || left || right); the split point of n leaves is the
largest power of two smaller than n. The prefixes keep a node from passing as a leaf.

Nothing here stores anything. `Frontier` grows a tree leaf by leaf and gives, for each leaf, the hashes of the complete
subtrees that this leaf finishes (level 0 first). A store keeps that string of hashes with the row; `Nodes` reads any
complete subtree back from it: the subtree at (level, i) was finished by leaf ((i + 1) << level) - 1 and is the
level-th hash there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(level, i) -> hash of the complete subtree over leaves [i << level, (i + 1) << level)."""


class ProofError(ValueError):
    """A proof does not show what it claims. The message holds numbers only."""


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves: roots of its complete subtrees, largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> bytes:
        """Add the leaf hash; return the joined hashes of every complete subtree it finishes, itself first."""
        finished, current = [leaf], leaf
        level = 0
        while self.size >> level & 1:
            current = node_hash(self.peaks.pop(), current)
            finished.append(current)
            level += 1
        self.peaks.append(current)
        self.size += 1
        return b"".join(finished)

    def root(self) -> bytes:
        return fold(self.peaks)

    def copy(self) -> Frontier:
        return Frontier(self.size, list(self.peaks))


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over neighbouring complete subtrees, largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root


def peak_places(start: int, stop: int) -> list[tuple[int, int]]:
    """The complete subtrees (level, i) that cover [start, stop), left to right; `start` is aligned to the whole."""
    places = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        places.append((level, start >> level))
        start += 1 << level
    return places


def finishing_leaf(level: int, i: int) -> int:
    """The index of the leaf that completes the subtree at (level, i)."""
    return ((i + 1) << level) - 1


def subtree_root(start: int, stop: int, node: NodeReader) -> bytes:
    return fold([node(level, i) for level, i in peak_places(start, stop)])


def root_at(size: int, node: NodeReader) -> bytes:
    """The root of the first `size` leaves."""
    return subtree_root(0, size, node)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes, by the definition in RFC 6962 (used to check the fast ways above)."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def _split(n: int) -> int:
    """The largest power of two smaller than n (n > 1)."""
    return 1 << ((n - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962, section 2.1.1: from the leaf's sibling up. ProofError if index is outside."""
    if not 0 <= index < size:
        raise ProofError(f"index {index} is outside a tree of {size}")
    path, start, stop = [], 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(subtree_root(middle, stop, node))
            stop = middle
        else:
            path.append(subtree_root(start, middle, node))
            start = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, node: NodeReader) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962, section 2.1.2. ProofError unless 0 < old <= new."""
    if not 0 < old <= new:
        raise ProofError(f"no proof from size {old} to size {new}")
    path, start, stop = [], 0, new
    while stop != old:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(subtree_root(middle, stop, node))
            stop = middle
        else:
            path.append(subtree_root(start, middle, node))
            start = middle
    if start:
        path.append(subtree_root(start, stop, node))
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless `proof` leads from this leaf hash at `index` to `root` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"index {index} is outside a tree of {size}")
    fn, sn, current = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofError("the proof is longer than the path")
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("the proof is shorter than the path")
    if current != root:
        raise ProofError(f"record {index} is not in the tree of {size}")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], *, old_root: bytes, new_root: bytes) -> None:
    """Raise ProofError unless the tree of `new` leaves extends that of `old` (RFC 9162, section 2.1.4.2)."""
    if old == new:
        if proof or old_root != new_root:
            raise ProofError(f"two different trees of size {old}")
        return
    if not 0 < old < new:
        raise ProofError(f"no proof from size {old} to size {new}")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise ProofError("the proof is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofError("the proof is longer than the path")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or first != old_root or second != new_root:
        raise ProofError(f"the tree of {new} does not extend the tree of {old}")
