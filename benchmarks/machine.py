"""Says on what a measurement was made."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client

__all__ = ["Machine", "describe_machine"]


class Machine(BaseModel):
    """A machine, and the versions that ran on it. ``load`` is its load average before the measurement began.

    ``kept`` says where its development server keeps runs.
    """

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    temporalio: str
    server: str
    load: float
    kept: str = "in memory"

    def sentence(self) -> str:
        """All of it in one line."""
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_gib:.0f} GiB of memory, {self.system}; "
            f"Python {self.python}, temporalio {self.temporalio}, Temporal server {self.server} (development server "
            f"{self.kept}, on the same machine); load average before: {self.load:.1f}"
        )


async def describe_machine(client: Client, *, kept: str = "in memory") -> Machine:
    """This machine, and the server that ``client`` talks to, which keeps its runs as ``kept`` says."""
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    return Machine(
        processor=_processor(),
        cores=psutil.cpu_count() or 1,
        memory_gib=psutil.virtual_memory().total / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        temporalio=version("temporalio"),
        server=info.server_version,
        load=os.getloadavg()[0],
        kept=kept,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
