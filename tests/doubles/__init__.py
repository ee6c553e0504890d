"""Doubles of other people's servers that are programs of their own."""
