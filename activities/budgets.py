"""Caps beside those of the runs: for a user, a tenant, a conversation, a definition, in all or for each day."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.contracts import Account
from orchestrator.models import nano
from orchestrator.setting_files import read_setting_file
from storage import Cap

__all__ = ["Budget", "caps_for", "read_budgets"]

_Dollars = Decimal | None
_MOST_USD = 1_000_000_000
"""Of a cap; the ledger counts nano-dollars in 64 bits."""


class Budget(BaseModel):
    """One cap. It holds for each tenant, user … by itself, or ``only`` for one of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per: Literal["run", "conversation", "user", "tenant", "definition"]
    only: str | None = Field(default=None, min_length=1, max_length=200)
    each: Literal["day", "ever"] = "ever"
    """``day``: from midnight UTC on it begins anew."""
    hard_usd: _Dollars = Field(default=None, ge=0, le=_MOST_USD, allow_inf_nan=False)
    soft_usd: _Dollars = Field(default=None, ge=0, le=_MOST_USD, allow_inf_nan=False)

    @model_validator(mode="after")
    def _caps_something(self) -> Self:
        if self.hard_usd is None and self.soft_usd is None:
            raise ValueError("give hard_usd, soft_usd or both")
        if self.hard_usd is not None and self.soft_usd is not None and self.soft_usd > self.hard_usd:
            raise ValueError(f"soft_usd ({self.soft_usd}) is over hard_usd ({self.hard_usd}): it would never be told")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    budgets: tuple[Budget, ...]


def read_budgets(path: Path) -> tuple[Budget, ...]:
    """The budgets in a file.

    Raises:
        SettingsError: It cannot be read, or holds something else; the message names the place.
    """
    return read_setting_file(path, _File, "budgets").budgets


def caps_for(account: Account, budgets: Sequence[Budget]) -> list[Cap]:
    """What a call of this account counts in: always its run, with those around it, and each scope of a budget."""
    runs = {account.purse: account.cap_usd} | {inner.run: inner.cap_usd for inner in account.inner}
    found = {f"run:{run}": Cap(f"run:{run}", _dollars_of(cap_usd)) for run, cap_usd in runs.items()}
    today = datetime.now(UTC).date().isoformat()
    for budget in budgets:
        whose = _whose(account, budget)
        if whose is None or budget.only not in (None, whose[1]):
            continue
        scope = whose[0] if budget.each == "ever" else f"{whose[0]}/{today}"
        found[scope] = _tighter(found.get(scope), scope, budget)
    return list(found.values())


def _whose(account: Account, budget: Budget) -> tuple[str, str] | None:
    """The scope that a budget counts in for this account, and what it is called; none: it does not concern it."""
    if budget.per == "run":
        return f"run:{account.purse}", account.purse
    if budget.per == "definition":
        return f"definition:{account.definition}", account.definition
    name = {"tenant": account.tenant, "user": account.user, "conversation": account.conversation}[budget.per]
    if name is None:
        return None
    # Two tenants may both have a user "ada".
    of = "" if budget.per == "tenant" else f"{_part(account.tenant or '')}/"
    return f"{budget.per}:{of}{_part(name)}", name


def _part(name: str) -> str:
    """A name as part of a scope's: the user ``b/c`` of the tenant ``a`` is not the user ``c`` of the tenant ``a/b``."""
    return name.replace("%", "%25").replace("/", "%2F")


def _tighter(one: Cap | None, scope: str, budget: Budget) -> Cap:
    hard = [cap for cap in (one and one.hard, _nano(budget.hard_usd)) if cap is not None]
    soft = [cap for cap in (one and one.soft, _nano(budget.soft_usd)) if cap is not None]
    return Cap(scope, min(hard, default=None), min(soft, default=None))


def _dollars_of(cap_usd: float | None) -> int | None:
    return None if cap_usd is None else nano(Decimal(str(min(cap_usd, _MOST_USD))))


def _nano(amount: Decimal | None) -> int | None:
    return None if amount is None else nano(amount)
