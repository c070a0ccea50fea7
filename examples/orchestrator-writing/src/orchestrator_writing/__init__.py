"""Node types for texts, and models of this machine."""
