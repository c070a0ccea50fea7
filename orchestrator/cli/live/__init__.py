"""The live view of a run: what it shows is worked out here without a terminal, and drawn by one textual app."""
