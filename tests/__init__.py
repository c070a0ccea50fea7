"""Tests. Before anything of ours is imported, settings of the person who runs them are taken out of the environment."""

import os

_THEIRS = ("ORCHESTRATOR_", "TEMPORAL_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "AWS_")
for _name in [name for name in os.environ if name.upper().startswith(_THEIRS)]:
    del os.environ[_name]
# Without this, the profile file in the person's home would point the tests at a real server.
os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull
