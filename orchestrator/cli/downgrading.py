"""Brings the storage back to the tables of an older release."""

import asyncio

from orchestrator.cli.output import out, say
from orchestrator.errors import RequestError
from orchestrator.settings import load_settings
from storage import DOWNGRADES, downgrade, migrated_to

__all__ = ["bring_back"]


def bring_back(to: str, *, yes: bool) -> None:
    """Bring the tables back, or say what would be lost.

    Args:
        to: How far.
        yes: Do it.

    Raises:
        RequestError: There is no way back so far.
        SettingsError: The address of the storage cannot be used.
        StorageUnavailableError: It cannot be reached, or was migrated by a newer release.
    """
    if to not in DOWNGRADES:
        raise RequestError(
            f"--to {to}: the storage can be brought back to {', '.join(DOWNGRADES)} only; "
            "further back, restore a backup"
        )
    asyncio.run(_bring_back(load_settings().storage_address, to, yes=yes))


async def _bring_back(address: str, to: str, *, yes: bool) -> None:
    now, _ = await migrated_to(address)
    if now is None or now <= to:
        out(f"nothing to do: {'there are no tables' if now is None else f'the tables are those of {now}'}")
        return
    lost = ", ".join(what for revision, what in DOWNGRADES.items() if to <= revision < now)
    if yes:
        await downgrade(address, to)
    out(f"{'brought back' if yes else 'would be brought back'} from {now} to {to}; lost: {lost}")
    if not yes:
        say("nothing was done; stop all workers of this release, then --yes does it")
