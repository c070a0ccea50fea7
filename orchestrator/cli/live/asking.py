"""The windows of the view in which somebody answers a question, decides on an approval, or resolves a parked node."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from orchestrator.cli.live.picture import Trouble
from orchestrator.cli.output import clean
from orchestrator.cli.requests import made, read_object
from orchestrator.cli.standing import about, age, error_line
from orchestrator.contracts import Awaiting, ResolveRequest, visit_label
from orchestrator.errors import OrchestratorError, RequestError

__all__ = ["Window", "for_approval", "for_question", "for_trouble", "resolution"]

Submit = Callable[[str, str], Awaitable[None]]
"""Does what was chosen, with the text that was typed.

Raises:
    OrchestratorError: It cannot be done; the window shows why and stays.
"""
_DECISIONS = ("approve", "reject", "modify", "defer")
_LOOKS: dict[str, Any] = {
    "approve": "success",
    "reject": "error",
    "retry": "primary",
    "fail": "error",
    "answer": "primary",
}


class Window(ModalScreen[bool]):
    """Something to read, a line to type, and buttons. It is left with true once what was chosen is done.

    Args:
        title: What it is about.
        lines: What there is to read.
        hint: What can be typed.
        choices: The buttons, of which the first also answers to Enter if ``enter``.
        submit: Does what was chosen.
        enter: Whether Enter in the line chooses the first button.
    """

    CSS = """
    Window { align: center middle; }
    Window > Vertical { width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 1 2;
                        border: round $accent; background: $surface; overflow-y: auto; }
    Window VerticalScroll { height: auto; max-height: 14; margin-bottom: 1; }
    Window Horizontal { height: auto; margin-top: 1; overflow-x: auto; scrollbar-size-horizontal: 0; }
    Window Button { margin-right: 1; min-width: 10; }
    Window #problem { color: $error; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", priority=True)]

    def __init__(
        self, title: str, lines: list[str], hint: str, choices: tuple[str, ...], submit: Submit, *, enter: bool = False
    ) -> None:
        super().__init__()
        self._title, self._lines, self._hint = title, lines, hint
        self._choices, self._submit, self._enter = choices, submit, enter

    def compose(self) -> ComposeResult:
        with Vertical():
            with VerticalScroll():
                yield Static(Text(clean(self._title), style="bold"))
                yield Static(Text(clean("\n".join(self._lines))))
            yield Input(placeholder=self._hint, id="text")
            yield Static("", id="problem", markup=False)
            with Horizontal():
                for choice in self._choices:
                    yield Button(choice.capitalize(), id=choice, variant=_LOOKS.get(choice, "default"))

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(False)  # noqa: FBT003 - the window's result

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self._perform(event.button.id or self._choices[0])

    @on(Input.Submitted)
    def _entered(self) -> None:
        if self._enter:
            self._perform(self._choices[0])
        else:
            self.query_one("#problem", Static).update(f"choose with Tab and Enter: {', '.join(self._choices)}")

    @work(exclusive=True)
    async def _perform(self, choice: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update("…")
        try:
            await self._submit(choice, self.query_one(Input).value)
        except OrchestratorError as error:
            problem.update(clean(error.message))
        else:
            self.dismiss(True)  # noqa: FBT003 - the window's result


def for_question(question: Awaiting, submit: Submit) -> Window:
    """The window for a question: what it asks, and what an answer has to look like."""
    lines = [question.question, *about(question)]
    if question.answer_schema:
        lines.append(f"answer    {json.dumps(question.answer_schema, ensure_ascii=False)}")
    title = f"{visit_label(question.node, question.visit)} asks"
    return Window(
        title, lines, "Your answer; JSON where it asks for an object or a list", ("answer",), submit, enter=True
    )


def for_approval(question: Awaiting, submit: Submit) -> Window:
    """The window for an approval: what is proposed, and what can be decided."""
    choices = tuple(name for name in _DECISIONS if not question.decisions or name in question.decisions)
    hint = "A comment; for Modify the changed proposal (JSON); for Defer how long (2h)"
    title = f"{visit_label(question.node, question.visit)} asks for a decision"
    return Window(title, [question.question, *about(question)], hint, choices, submit)


def for_trouble(trouble: Trouble, submit: Submit) -> Window:
    """The window for a parked node: why it is parked, and what can become of it."""
    parked = trouble.parked
    tries = "" if parked.tries == 1 else f", tried {parked.tries} times"
    lines = [f"parked for {age(parked.since)}{tries}, in the run {trouble.run}", error_line(parked)]
    title = f"{visit_label(parked.node, parked.visit)} has failed for good"
    hint = "A comment; for Override the output (a JSON object)"
    return Window(title, lines, hint, ("retry", "override", "skip", "fail"), submit)


def resolution(choice: str, text: str, trouble: Trouble, by: str | None) -> ResolveRequest:
    """The request that a choice in the window of a parked node makes.

    Raises:
        RequestError: The output is no JSON object.
    """
    node = trouble.parked.node
    if choice != "override":
        return made(ResolveRequest, action=choice, node=node, by=by, comment=text.strip() or None)
    if not text.strip():
        raise RequestError("type the output first: a JSON object, such as {}")
    if text.strip().startswith("@"):
        raise RequestError("type the output itself; files are for `orchestrator resolve --override`")
    return made(ResolveRequest, action="override", node=node, by=by, output=read_object("the output", text))
