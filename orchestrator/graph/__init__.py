"""The Plan and its meaning: pure functions and values. No clock, no random, no I/O, no Temporal."""
