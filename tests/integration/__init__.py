"""Tests against a real Temporal server."""
