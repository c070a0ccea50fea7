"""The contract of the model providers, over the wire."""
