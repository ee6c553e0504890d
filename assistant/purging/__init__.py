"""`payops purge`: a value that leaked past redaction is removed from everything that we keep or showed.

`value` knows the forms in which it may be written, `tables` and `files` clean what they hold, `bodies` takes bodies out
of the prompt log (its records and proofs stay), `purge` goes through all of them, with a record before and one after.
The value is read from standard input, and never shown, logged, stored or given to another process.
"""
