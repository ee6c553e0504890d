"""Values only: what the product talks about. Pure; imports nothing but `redaction` and `assistant.errors`."""
