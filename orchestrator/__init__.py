"""A durable LLM workflow platform on Temporal: graphs in YAML, run by one generic workflow."""

__version__ = "0.1.0"
