"""The prompt log: what left for the model, kept so that somebody else can verify it.

Read this room in the order of what it promises.

    record      what a record is: canonical JSON of ids, enums, numbers and hashes; never free text
    merkle      RFC 6962 tree: leaf and node hashes, roots, inclusion and consistency proofs
    checkpoint  C2SP signed notes, checkpoints with a signed time, one-file offline proofs
    keys        signing and body keys: from a file or a command, rotated by adding a line
    bodies      content beside the leaf: salted address, encrypted, erasable without touching the tree
    store       the rows; `sql`, `sqlite` and `postgres` keep them
    log         the port: one writer, group commit, durable when `append` returns, fatal when it cannot be
    verify      everything re-computed, compared with checkpoints held elsewhere; says where the first doubt is
    open        settings to an open log: start-up checks, requests left open by a killed process
    publish     checkpoints carried to places that this process cannot rewrite
    replay      a prompt rebuilt from its recorded parts, byte for byte
    chores      verification, screening and retention, done now and then
    search, export, review, reconcile, retention     what auditors do with it

A tree inside one database proves nothing against whoever owns the file. The promise therefore is: what a checkpoint
held elsewhere covers cannot be changed, dropped, reordered or forked unseen; what came after the last such checkpoint
(at most 60 seconds) is the unprotected tail, and is always shown.

This room imports the standard library, `cryptography` and `assistant.errors`; `psycopg` only inside the PostgreSQL
store.
"""
