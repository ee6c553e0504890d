"""A read-only incident assistant for payment operations."""

__version__ = "0.1.0"
