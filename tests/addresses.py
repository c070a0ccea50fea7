"""Addresses that a test may listen at."""

import socket

__all__ = ["free_address"]


def free_address() -> str:
    """An address on loopback, ``host:port``, that nothing listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
