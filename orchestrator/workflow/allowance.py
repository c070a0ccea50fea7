"""What a run may spend: by its own cap, and by those of the runs that it is a child of."""

from typing import Any

from temporalio import workflow

from orchestrator.contracts import ParentRun, RunCap

__all__ = ["Allowance"]

_MEMO = "caps"


class Allowance:
    """The caps that hold for one run.

    Args:
        parent: Whose child it is.
        cap_usd: Its own cap, in dollars.
    """

    __slots__ = ("_around", "cap_usd")

    def __init__(self, parent: ParentRun | None, cap_usd: float | None) -> None:
        self.cap_usd = cap_usd
        """What its model calls may cost, in dollars: as its limits say, until somebody gives it more."""
        self._around: tuple[RunCap, ...] = ()
        # Whoever starts a run may say that it is a child; that it is one, only the server says.
        if parent is not None and parent.purse and workflow.info().parent is not None:
            told = workflow.memo_value(_MEMO, None, type_hint=list[RunCap])
            # A worker of 0.1.0 tells nothing: the run's own cap holds for what the whole family spends.
            self._around = tuple(told or [RunCap(run=parent.purse, cap_usd=cap_usd)])

    @property
    def purse(self) -> str:
        """Whose money is spent: the run's own, or that of the run that started it and all others."""
        return self.caps[0].run

    @property
    def caps(self) -> tuple[RunCap, ...]:
        """What the runs around it may spend, the outermost first, and what it may spend itself."""
        return (*self._around, RunCap(run=workflow.info().first_execution_run_id, cap_usd=self.cap_usd))

    def memo(self) -> dict[str, Any]:
        """What a child run is told of it: in its memo, since a worker of 0.1.0 refuses a request with more fields."""
        return {_MEMO: [cap.model_dump(mode="json") for cap in self.caps]}

    def raise_to(self, cap_usd: float) -> None:
        """Cap the run at ``cap_usd`` dollars, and in its eyes the runs around it at no less than that."""
        self.cap_usd = cap_usd
        self._around = tuple(
            cap if cap.cap_usd is None else RunCap(run=cap.run, cap_usd=max(cap.cap_usd, cap_usd))
            for cap in self._around
        )

    def account(self) -> dict[str, Any]:
        """The part of an ``Account`` that says so, as JSON."""
        first, *inner = self.caps
        # All of them count, capped or not: somebody may cap one later, and it has spent what it has spent.
        more = [cap.model_dump(mode="json", exclude_none=True) for cap in inner] or None
        return {"purse": first.run, "cap_usd": first.cap_usd, "inner": more}

    def dump(self) -> list[dict[str, Any]]:
        """The caps of the runs around it, as JSON."""
        return [cap.model_dump(mode="json") for cap in self._around]

    def restore(self, around: list[dict[str, Any]]) -> None:
        """Go on with what ``dump`` gave."""
        self._around = tuple(RunCap.model_validate(cap) for cap in around)
