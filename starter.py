"""The command line: ``python starter.py …`` and the installed ``orchestrator …`` are the same."""

from orchestrator.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
