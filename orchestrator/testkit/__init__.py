"""Runs cases that authors write for their definitions, on a server whose clock skips over waiting."""
