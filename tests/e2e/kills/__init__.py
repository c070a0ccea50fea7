"""Kills real processes at every step of runs, and counts what they did at a real HTTP server."""
