"""From text to a checked model: loading, rules, references. No Temporal, no I/O beyond reading files."""
