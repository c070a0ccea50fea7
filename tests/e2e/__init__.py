"""Tests that run the real commands as a person would."""
