"""Outside systems, each behind one small Protocol."""
