"""JSON Schema of files of cases, for editors. ``python -m orchestrator.testkit.schema`` writes it."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from orchestrator.testkit.model import CaseFile

__all__ = ["cases_schema", "cases_schema_text"]

_FILE: Final = Path(__file__).parents[2] / "docs" / "cases.schema.json"


def cases_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a file of cases."""
    schema = CaseFile.model_json_schema()
    definitions = schema.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cases of a workflow definition",
        **{key: value for key, value in schema.items() if key != "title"},
        "$defs": dict(sorted(definitions.items())),
    }


def cases_schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(cases_schema(), indent=2, ensure_ascii=False) + "\n"


def _main() -> None:
    _FILE.write_text(cases_schema_text(), encoding="utf-8")
    sys.stdout.write(f"wrote {_FILE}\n")


if __name__ == "__main__":
    _main()
