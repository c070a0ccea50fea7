"""The same chain of quick nodes in other engines, each in a process of its own."""
