"""Measures what ``docs/performance.md`` reports: our graphs beside hand-written workflows with the same activities."""
