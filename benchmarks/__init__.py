"""Measures what ``docs/performance.md`` reports: our graphs beside hand-written workflows that call the same activities."""
