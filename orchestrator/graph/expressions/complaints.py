"""What to say about a text that is no expression, in the author's words rather than the parser's."""

from orchestrator.graph.expressions.lexer import Lexeme

__all__ = ["complaint"]

_MAX_SHOWN = 40
_ENDS = frozenset({"name", "quoted", "string", "int", "double", ")", "]", "}"})
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def complaint(lexemes: list[Lexeme], index: int) -> str:
    """What is wrong at the token ``index``, said from what stands before it."""
    before = lexemes[index - 1] if index else None
    here = lexemes[index] if index < len(lexemes) else None
    ending = before is None or before.kind not in _ENDS or before.text == "in"
    if before is not None and before.kind == ".":
        return f"expected a field name after '.', not {_shown(here)}"
    if here is None:
        return f"expected an expression after {_shown(before)}" if ending else _unclosed(lexemes)
    if before is None:
        return f"expected an expression before {_shown(here)}"
    if ending and here.kind not in _ENDS:
        return f"expected an expression after {_shown(before)}, not {_shown(here)}"
    return f"unexpected {_shown(here)} after {_shown(before)}"


def _unclosed(lexemes: list[Lexeme]) -> str:
    waiting: list[str] = []
    for lexeme in lexemes:
        if lexeme.kind in _CLOSING:
            waiting.append(_CLOSING[lexeme.kind])
        elif waiting and lexeme.kind == waiting[-1]:
            waiting.pop()
    return f"the expression ends too early: '{waiting[-1] if waiting else ':'}' is missing"


def _shown(lexeme: Lexeme | None) -> str:
    if lexeme is None:
        return "the end"
    text = lexeme.text if len(lexeme.text) <= _MAX_SHOWN else f"{lexeme.text[:_MAX_SHOWN]}…"
    return text if lexeme.kind == "string" else f"'{text}'"
