"""Runbooks: Markdown folders in, the right passage out, or the reason why there is none.

A runbook is found **exactly**, by the text of an alert's `runbook_url` or by its alert name, and else **by meaning**:
BM25 over redacted sections, joined by sentence vectors where their weights are installed. Below a calibrated score the
answer is "none", with the reason. A runbook is untrusted text: it is redacted before it is stored or ranked, quoted and
never obeyed, and nothing in it is requested or run.

`open_index` gives one of two levels behind the same port (`assistant.ports.RunbookIndex`):

- in process: exact and lexical, no store; opens in a fraction of a second (demo, triage, the command line);
- stored: vectors in Chroma, each version a collection of its own named by content hash and switched by one pointer.
  An embedded Chroma store is for one process, so only `serve` and `payops runbooks index` open it.
"""

from assistant.runbook_index.open import open_index

__all__ = ["open_index"]
