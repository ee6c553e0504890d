"""Where a note is shown. Each outlet is a `Carrier` behind the outbox (see `assistant.workflow.outbox`)."""
