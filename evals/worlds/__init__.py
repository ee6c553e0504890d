"""Recorded worlds, and the scripts that recorded them."""
