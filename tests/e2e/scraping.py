"""Reads what a worker's Prometheus endpoint exports."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

__all__ = ["Sample", "samples", "scrape", "until_sampled"]

_LINE = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
_PATIENCE_S = 30.0
_BETWEEN_LOOKS_S = 0.05


@dataclass(frozen=True)
class Sample:
    """One line of the endpoint."""

    name: str
    labels: Mapping[str, str]
    value: float


async def samples(address: str) -> list[Sample]:
    """Everything that ``address`` (``host:port``) exports just now."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{address}/metrics")
    answer.raise_for_status()
    found = [_LINE.fullmatch(line) for line in answer.text.splitlines() if line and not line.startswith("#")]
    return [Sample(line[1], dict(_LABEL.findall(line[2] or "")), float(line[3])) for line in found if line]


async def scrape(address: str) -> set[str]:
    """The names of all series that ``address`` (``host:port``) exports just now, as queries name them."""
    return {sample.name for sample in await samples(address)}


async def until_sampled(address: str, name: str, value: float, **labels: str) -> Sample:
    """Look until a series ``name`` with at least these labels has this value.

    The worker has to listen by then, as it does once it has said that it polls, or has done anything in a run.
    """
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            for sample in await samples(address):
                if (sample.name, sample.value) == (name, value) and labels.items() <= sample.labels.items():
                    return sample
            await asyncio.sleep(_BETWEEN_LOOKS_S)
