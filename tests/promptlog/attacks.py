"""Attacks by whoever owns the log's file, and most of them by whoever owns its keys as well."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from assistant.promptlog.bodies import address_of
from assistant.promptlog.checkpoint import Checkpoint, Signature, SignedNote, format_note, parse_note, sign_checkpoint
from assistant.promptlog.columns import columns_of
from assistant.promptlog.keys import Keys, new_signing_key, parse_signing_key
from assistant.promptlog.merkle import Frontier, leaf_hash
from assistant.promptlog.record import Address, canonical, parse_leaf
from assistant.promptlog.store import Row
from tests.fakes.promptlog import ORIGIN


@dataclass(slots=True)
class Owner:
    """The attacker: the open file and the log's own keys."""

    db: sqlite3.Connection
    keys: Keys

    def leaves(self) -> list[bytes]:
        return [row[0] for row in self.db.execute("SELECT leaf FROM entry ORDER BY idx")]

    def rebuild(self, leaves: list[bytes], *, resign: bool = True, keys: Keys | None = None) -> None:
        """Write these records as if they had always been the log: indexes, hashes, columns, checkpoints, all agree."""
        self.db.execute("DELETE FROM entry")
        frontier = Frontier()
        for index, leaf in enumerate(leaves):
            renumbered = canonical({**json.loads(leaf), "index": index})
            hashes = frontier.append(leaf_hash(renumbered))
            row = Row(index, *columns_of(parse_leaf(renumbered)), renumbered, hashes)
            values = (row.index, row.id, row.time, row.event, row.actor, row.outcome, row.incident, row.correlation)
            values += (row.about, row.model, row.run, row.release, row.leaf, row.hashes, row.segment)
            self.db.execute(f"INSERT INTO entry VALUES ({', '.join('?' * 15)})", values)
        self.db.execute("DELETE FROM signed")
        self.forget_strays()
        if resign:
            signers = [(s.key, s.sign) for s in (keys or self.keys).signers()]
            note = sign_checkpoint(Checkpoint(ORIGIN, frontier.size, frontier.root()), signers, time=1_800_000_000)
            self.sign(frontier.size, note)

    def forget_strays(self) -> None:
        """No body stays that no record names: a careful attacker leaves nothing over."""
        named = {ref.address for leaf in self.leaves() for ref in parse_leaf(leaf).bodies.values()}
        for (address,) in self.db.execute("SELECT address FROM blob").fetchall():
            if address not in named:
                self.db.execute("DELETE FROM blob WHERE address = ?", (address,))

    def sign(self, size: int, note: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO signed VALUES (?, ?, 't', 't')", (size, note))

    def change(self, index: int) -> list[bytes]:
        """The leaves with one of them saying something else."""
        leaves = self.leaves()
        leaves[index] = canonical({**json.loads(leaves[index]), "actor": "somebody-else"})
        return leaves


def flip(owner: Owner) -> None:
    leaf = bytearray(owner.leaves()[5])
    leaf[20] ^= 1
    owner.db.execute("UPDATE entry SET leaf = ? WHERE idx = 5", (bytes(leaf),))


def overwrite(owner: Owner) -> None:
    owner.db.execute("UPDATE entry SET leaf = ?, actor = 'somebody-else' WHERE idx = 5", (owner.change(5)[5],))


def overwrite_with_its_hash(owner: Owner) -> None:
    overwrite(owner)
    hashes = owner.db.execute("SELECT hashes FROM entry WHERE idx = 5").fetchone()[0]
    fresh = leaf_hash(owner.change(5)[5]) + hashes[32:]
    owner.db.execute("UPDATE entry SET hashes = ? WHERE idx = 5", (fresh,))


def delete(owner: Owner) -> None:
    owner.db.execute("DELETE FROM entry WHERE idx = 5")


def drop_and_rebuild(owner: Owner) -> None:
    leaves = owner.leaves()
    owner.rebuild(leaves[:5] + leaves[6:])


def rewrite_and_rebuild(owner: Owner) -> None:
    owner.rebuild(owner.change(5))


def insert_and_rebuild(owner: Owner) -> None:
    leaves = owner.leaves()
    made_up = canonical({**json.loads(leaves[5]), "id": "rec_made_up"})
    owner.rebuild([*leaves[:6], made_up, *leaves[6:]])


def truncate(owner: Owner) -> None:
    owner.rebuild(owner.leaves()[:-3])


def truncate_to_an_old_checkpoint(owner: Owner) -> None:
    """No rebuilding at all: the rows after a checkpoint that the log did sign are cut off, and the later notes."""
    size = owner.db.execute("SELECT MIN(size) FROM signed").fetchone()[0]
    owner.db.execute("DELETE FROM entry WHERE idx >= ?", (size,))
    owner.db.execute("DELETE FROM signed WHERE size > ?", (size,))
    owner.forget_strays()


def empty(owner: Owner) -> None:
    owner.rebuild([], resign=False)


def reorder(owner: Owner) -> None:
    leaves = owner.leaves()
    leaves[4], leaves[5] = leaves[5], leaves[4]
    owner.rebuild(leaves)


def swap_rows(owner: Owner) -> None:
    owner.db.executescript("UPDATE entry SET idx = -1 WHERE idx = 4; UPDATE entry SET idx = 4 WHERE idx = 5;")
    owner.db.execute("UPDATE entry SET idx = 5 WHERE idx = -1")


def fork(owner: Owner) -> None:
    """Another history after record 8, longer than the true one."""
    leaves = owner.leaves()
    made_up = [canonical({**json.loads(leaves[8]), "id": f"rec_fork_{n}"}) for n in range(len(leaves))]
    owner.rebuild(leaves[:8] + made_up)


def replace_key(owner: Owner) -> None:
    """Everything rebuilt and signed by another key, which the log announces as its successor."""
    other = parse_signing_key(new_signing_key(ORIGIN))
    leaves = owner.change(5)
    rotate = {**json.loads(leaves[0]), "event": "key.rotate", "id": "rec_rotate", "facts": {"vkey": str(other.key)}}
    owner.rebuild([*leaves, canonical(rotate)], keys=Keys(signer=other))


def downgrade(owner: Owner) -> None:
    """The newest checkpoint claims another signature algorithm."""
    size, text = owner.db.execute("SELECT size, note FROM signed ORDER BY size DESC").fetchone()
    note = parse_note(text)
    signer = owner.keys.signers()[0]
    weaker = Signature(ORIGIN, signer.key.key_id(0x02), b"\x00" * 64)
    owner.sign(size, format_note(SignedNote(note.text, (weaker,))))


def replace_checkpoint(owner: Owner) -> None:
    """A signed checkpoint of another history of the same size."""
    size = owner.db.execute("SELECT MAX(size) FROM signed").fetchone()[0]
    signers = [(s.key, s.sign) for s in owner.keys.signers()]
    owner.sign(size, sign_checkpoint(Checkpoint(ORIGIN, size, b"\x07" * 32), signers, time=1_800_000_000))


def columns(owner: Owner) -> None:
    """Records that cannot be found any more, though every leaf is as it was."""
    owner.db.execute("UPDATE entry SET incident = 'inc-other' WHERE idx = 5")


def take_a_body(owner: Owner) -> None:
    owner.db.execute("DELETE FROM blob WHERE address = (SELECT address FROM body_use WHERE idx = 5)")


def take_a_body_and_say_it_expired(owner: Owner) -> None:
    owner.db.execute("INSERT INTO taken SELECT address, 'expired', 'rec_none', 't' FROM body_use WHERE idx = 5")
    take_a_body(owner)


def swap_a_body(owner: Owner) -> None:
    """Other content, well encrypted, under the address that the leaf names."""
    address = owner.db.execute("SELECT address FROM body_use WHERE idx = 5").fetchone()[0]
    key = owner.keys.active_body
    other = key.seal(b"something harmless")
    nonce, salt = b"\x01" * 12, b"\x02" * 32
    sealed = nonce + key._aead.encrypt(nonce, salt + b"something harmless", str(address).encode())
    assert address_of(salt, b"something harmless") != Address(address) and other.key_id == key.id
    owner.db.execute("UPDATE blob SET sealed = ? WHERE address = ?", (sealed, address))


def plant_a_body(owner: Owner) -> None:
    blob = owner.keys.active_body.seal(b"never logged")
    values = (blob.address, blob.twin, blob.key_id, blob.sealed)
    owner.db.execute("INSERT INTO blob VALUES (?, ?, ?, ?)", values)


Attack = Callable[[Owner], None]
ON_RECORDS: tuple[Attack, ...] = (
    flip,
    overwrite,
    overwrite_with_its_hash,
    delete,
    drop_and_rebuild,
    rewrite_and_rebuild,
    insert_and_rebuild,
    truncate,
    truncate_to_an_old_checkpoint,
    empty,
    reorder,
    swap_rows,
    fork,
    replace_key,
)
ON_THE_REST: tuple[Attack, ...] = (
    downgrade,
    replace_checkpoint,
    columns,
    take_a_body,
    take_a_body_and_say_it_expired,
    swap_a_body,
    plant_a_body,
)
SELF_CONSISTENT: tuple[Attack, ...] = (
    drop_and_rebuild,
    rewrite_and_rebuild,
    insert_and_rebuild,
    truncate,
    truncate_to_an_old_checkpoint,
    empty,
    reorder,
    fork,
)
"""Those that leave a log which agrees with itself: only a checkpoint held elsewhere shows them."""
