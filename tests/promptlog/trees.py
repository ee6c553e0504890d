"""Trees in memory, for tests of the mathematics."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.promptlog.merkle import HASH_SIZE, Frontier, NodeReader, finishing_leaf


def reader(leaves: Sequence[bytes]) -> NodeReader:
    """The node reader of a store that holds these leaf hashes."""
    frontier = Frontier()
    rows = [frontier.append(leaf) for leaf in leaves]

    def node(level: int, i: int) -> bytes:
        found = rows[finishing_leaf(level, i)][level * HASH_SIZE : (level + 1) * HASH_SIZE]
        assert len(found) == HASH_SIZE
        return found

    return node
