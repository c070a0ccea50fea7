"""Recorded histories, how they are recorded, and how they are replayed."""
