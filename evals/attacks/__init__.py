"""Attacks on the assistant through what it reads: our own suite, planted in one realistic incident."""
