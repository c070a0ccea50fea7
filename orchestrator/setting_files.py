"""Reads the YAML files that settings name, such as those of models and of budgets."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.errors import SettingsError

__all__ = ["read_setting_file"]

Content = TypeVar("Content", bound=BaseModel)


def read_setting_file(path: Path, form: type[Content], what: str) -> Content:
    """What a YAML file holds, checked.

    Args:
        path: The file.
        form: What it has to look like.
        what: What it holds, for messages: ``budgets``.

    Raises:
        SettingsError: It cannot be read, or holds something else; the message names the place.
    """
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"the {what} in {path} cannot be read: {reason}") from None
    except RecursionError:
        raise SettingsError(f"the {what} in {path} are nested too deeply to be read") from None
    # Of a value of its own, such as a date that there is none of, the reader raises a ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"the {what} in {path} are not YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(found, dict):
        has = "is empty" if found is None else "holds no names with their values"
        names = " or ".join(f"`{name}:`" for name in form.model_fields)
        raise SettingsError(f"the {what} in {path}: the file {has}; it has to hold {names}")
    try:
        return form.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise SettingsError(f"{place} of the {what} in {path}: {first['msg']}") from None
