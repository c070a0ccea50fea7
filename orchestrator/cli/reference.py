"""Writes every command, with its options, examples and exit codes, into docs/cli.md, from what makes ``--help``."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import typer.main

from orchestrator.cli.app import app
from orchestrator.cli.errors import EXIT_CODES

__all__ = ["PAGE", "render"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "cli.md"
_PART = re.compile(r"(<!-- written by python -m orchestrator\.cli\.reference: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FENCE: Final = "```"
_KINDS: Final[Mapping[Any, str]] = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}


def render(page: str) -> str:
    """The page with its generated parts as they should be; the rest stays as it is.

    Raises:
        ValueError: A part is missing, or one is there that nobody writes.
    """
    parts = {"commands": _table(), "reference": _reference(), "codes": _codes()}
    found = [match[2] for match in _PART.finditer(page)]
    if sorted(found) != sorted(parts):
        raise ValueError(f"the page must have each of the parts {', '.join(parts)} once, and has {', '.join(found)}")
    return _PART.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n{match[3]}", page)


def _tree() -> Any:
    return typer.main.get_command(app)


def _table() -> str:
    rows = [
        f"| [`{_usage(name, command)}`](#orchestrator-{name.replace(' ', '-')}) | {_first(command)} |"
        for name, command in _commands()
    ]
    return "\n".join(["| command | does |", "|---|---|", *rows, ""])


def _codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows, ""])


def _reference() -> str:
    lines = ["These go before the command:", "", *_options(_tree()), ""]
    for name, command in _commands():
        lines += [
            f"### orchestrator {name}",
            "",
            f"`orchestrator {_usage(name, command)}`",
            "",
            *_prose(command.help),
            "",
        ]
        if table := [*_options(command)]:
            lines += [*table, ""]
        lines += [*_epilog(command.epilog), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _commands() -> Iterator[tuple[str, Any]]:
    """Each command by the words one types, those of a family behind it."""
    for name, command in _tree().commands.items():
        yield name, command
        yield from ((f"{name} {inner}", part) for inner, part in getattr(command, "commands", {}).items())


def _usage(name: str, command: Any) -> str:
    """A command with its arguments as one types them."""
    words: list[str] = [name]
    for item in command.params:
        if item.param_type_name == "argument":
            metavar = str(item.metavar or item.name.upper()).strip("[]")
            words.append(metavar if item.required else f"[{metavar}]")
    return " ".join(words)


def _options(command: Any) -> Iterator[str]:
    rows = [_row(item) for item in command.params if not item.hidden] if command.params else []
    if rows:
        yield from ("| argument or option | default | meaning |", "|---|---|---|", *rows)


def _row(item: Any) -> str:
    return f"| {_names(item)} | {_default(item)} | {_cell(item.help or '')} |"


def _names(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{str(item.metavar or item.name.upper()).strip('[]')}`"
    names = ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))
    return names if item.is_flag else f"{names} `{_cell(_value(item))}`"


def _value(item: Any) -> str:
    """What an option takes."""
    choices = get_args(item.type_descriptor.annotation)
    if item.metavar:
        return str(item.metavar)
    return "|".join(map(str, choices)) if choices else _KINDS[item.type_descriptor.annotation]


def _default(item: Any) -> str:
    if item.required:
        return "required"
    value = item.default
    if item.is_flag if item.param_type_name == "option" else False:
        return f"`{item.opts[0]}`" if value and item.secondary_opts else ""
    return "" if value is None or callable(value) or value in ((), []) else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _first(command: Any) -> str:
    return _cell((command.help or "").partition("\n\n")[0]).removesuffix(".")


def _prose(text: str | None) -> Iterator[str]:
    for paragraph in (text or "").split("\n\n"):
        yield from (" ".join(paragraph.split()), "")


def _epilog(text: str | None) -> Iterator[str]:
    """The paragraphs below a command's help: examples as code, the rest as prose."""
    for paragraph in (text or "").strip().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.strip() != "\b"]
        if lines and lines[0].startswith("Example"):
            yield from (f"{_FENCE}sh", *(line.removeprefix("  ") for line in lines[1:]), _FENCE, "")
        elif lines:
            yield from (" ".join(" ".join(lines).split()), "")


def main() -> None:
    """Bring the page up to date."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(render(page), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
