"""Backups of the state directory: made while `serve` runs, checked without it, restored only where the log allows.

In it: the prompt log and its cold segments, the notebook (incidents, notes, outbox, claims), the workflow's file, notes
as files. Not in it: the runbook index (built again at the start), caches, and the keys of the log unless they are asked
for: whoever holds a backup with keys reads every body. Parts that live in PostgreSQL are backed up by `pg_dump`; the
manifest says so and `create` prints the command.

The workflow's file and the notebook are copied before the log, so that the log knows every record that a note names. A
log that is older than a checkpoint held elsewhere is not restored as if nothing was lost: going on from there would
fork it. Without its keys a log cannot be checked, and is not restored: give them with `--keys`.
"""
