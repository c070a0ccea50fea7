"""The windows of the live view on a small terminal."""

import pytest
from textual.app import App
from textual.widgets import Button, Input

from orchestrator.cli.live.asking import Window, for_trouble
from orchestrator.cli.live.picture import Trouble
from orchestrator.contracts import ErrorInfo, Parked

PARKED = Parked(
    node="fetch",
    visit=1,
    error=ErrorInfo(code="PROVIDER_UNAVAILABLE", message="GET http://shop.example/parcels failed: ConnectError"),
    since="2026-01-01T00:00:00+00:00",
)


async def _nothing(choice: str, text: str) -> None:
    del choice, text


@pytest.mark.parametrize("size", [(120, 40), (60, 20), (44, 14)])
async def test_what_has_the_focus_is_on_the_screen_however_small_it_is(size: tuple[int, int]) -> None:
    app = App[None]()
    async with app.run_test(size=size) as pilot:
        window: Window = for_trouble(Trouble("run-1", PARKED), _nothing)
        await app.push_screen(window)
        reached: list[str | None] = []
        while len(reached) < 1 + len(window.query(Button)):
            await pilot.wait_for_scheduled_animations()
            focused = window.focused
            assert isinstance(focused, Button | Input)
            assert focused.region.overlaps(window.children[0].content_region), f"{focused.id} is not to be seen"
            assert window.screen.find_widget(focused).visible_region.area > 0
            reached.append(focused.id)
            await pilot.press("tab")

    assert reached == ["text", "retry", "override", "skip", "fail"]
