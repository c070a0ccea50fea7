"""Where the docs keep what was measured: the page, and the marks of its blocks."""

from benchmarks.fleet import ROOT

__all__ = ["FIGURES", "PAGE", "ROLLOVER", "SOAK", "STREAMS", "UPGRADE"]

PAGE = ROOT / "docs" / "performance.md"


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


FIGURES, ROLLOVER, SOAK, UPGRADE, STREAMS = (
    _marks(name) for name in ("figures", "rollover", "soak", "upgrade", "streams")
)
