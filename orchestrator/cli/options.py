"""Options and arguments that several commands share."""

from typing import Annotated

import typer

from orchestrator.cli.completing import definition_names, run_ids

__all__ = [
    "Answer",
    "By",
    "Comment",
    "Conversation",
    "DefinitionArgument",
    "InputOption",
    "Json",
    "MessageId",
    "MessageNode",
    "MessageText",
    "MessageValues",
    "Parallel",
    "RunArgument",
    "RunId",
    "Steps",
    "Tag",
    "Tenant",
    "Timeout",
    "User",
    "Value",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.", autocompletion=run_ids)]

DefinitionArgument = Annotated[
    str,
    typer.Argument(
        metavar="DEF",
        help="A file, or the NAME or NAME@VERSION of one the worker can find.",
        autocompletion=definition_names,
    ),
]
InputOption = Annotated[
    str | None, typer.Option("--input", "-i", metavar="JSON|@FILE|@-", help="The inputs, as a JSON object.")
]
Value = Annotated[
    list[str] | None,
    typer.Option("--value", "-v", metavar="KEY=VALUE", help="One input; wins over --input. May be repeated."),
]
RunId = Annotated[str | None, typer.Option("--id", help="Id of the new run; else one is made up.")]
Answer = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        "-a",
        metavar="TEXT|NODE=TEXT|NODE=JSON",
        help="An answer to the next question, or to the one that NODE asks. May be repeated.",
    ),
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Tenant that the run is for.")]
User = Annotated[str | None, typer.Option("--user", help="User that the run is for.")]
Conversation = Annotated[str | None, typer.Option("--conversation", help="Conversation that the run belongs to.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag. May be repeated.")]
Timeout = Annotated[str | None, typer.Option("--timeout", help="Most the run may take: 90s, 2h, 7d, or seconds.")]
Steps = Annotated[int | None, typer.Option("--max-steps", min=1, help="Most visits of nodes.")]
Parallel = Annotated[int | None, typer.Option("--max-parallel", min=1, help="Most nodes under way at a time.")]
Cost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, metavar="DOLLARS", help="Most that model calls may cost, such as 0.50."),
]

MessageText = Annotated[str | None, typer.Argument(metavar="TEXT", help="The answer as text.")]
MessageValues = Annotated[str | None, typer.Option("--values", metavar="JSON|@FILE|@-", help="The answer as JSON.")]
MessageNode = Annotated[
    str | None,
    typer.Option(
        "--node", help="Node whose question it answers, inside an item by its path: items[3].ask; else the oldest one."
    ),
]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who says so.")]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Why; kept with the run's events.")]
MessageId = Annotated[str | None, typer.Option("--message-id", help="Makes the message count once, if sent again.")]
