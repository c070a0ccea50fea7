"""Durations as people read them, and as ``parse_duration`` reads them back."""

__all__ = ["spelled"]

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_MOST_PARTS = 2


def spelled(seconds: float, *, exact: bool = False) -> str:
    """``3m3s``, ``6d``, ``12ms``: the two largest units that are not nothing, or with ``exact`` all of them."""
    left = round(seconds * 1_000)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts and not exact:
            break
    return "".join(parts if exact else parts[:_MOST_PARTS]) or "0s"
