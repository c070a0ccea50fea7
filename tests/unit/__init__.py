"""Tests that need nothing but this project."""
