"""Reads secret settings from files, as containers mount them: ``OPENAI_API_KEY_FILE`` for ``OPENAI_API_KEY``."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource

from orchestrator.errors import SettingsError

__all__ = ["SecretFiles", "secret_fields"]

_SUFFIX = "_FILE"
_MOST_BYTES = 65_536


def secret_fields(settings: type[BaseSettings]) -> Iterator[str]:
    """The fields of ``settings`` that hold a secret, but those that have a setting for a file of their own."""
    for name, field in settings.model_fields.items():
        if f"{name}{_SUFFIX.lower()}" not in settings.model_fields and _is_secret(field.annotation):
            yield name


class SecretFiles(PydanticBaseSettingsSource):
    """Fills secret fields from the files that variables with ``_FILE`` at the end name.

    Args:
        settings: Whose fields they are.
        env_file: Where variables are beside the environment.
        variable_name: The variable of a field.
    """

    def __init__(
        self,
        settings: type[BaseSettings],
        env_file: PydanticBaseSettingsSource,
        variable_name: Callable[[str], str],
    ) -> None:
        super().__init__(settings)
        self._env_file = env_file.env_file if isinstance(env_file, DotEnvSettingsSource) else None
        self._variable_name = variable_name

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """What the file of a field holds; none where no variable names one."""
        del field
        return self._read(field_name, self._variables()), field_name, False

    def __call__(self) -> dict[str, Any]:
        """What the files hold, by the names under which settings look for their values.

        Raises:
            SettingsError: A file cannot be read, or its secret is given as well.
        """
        variables = self._variables()
        found = {name: self._read(name, variables) for name in secret_fields(self.settings_cls)}
        return {name: value for name, value in found.items() if value is not None}

    def _variables(self) -> Mapping[str, str | None]:
        file = self._env_file
        written = dotenv_values(file, interpolate=False) if isinstance(file, (str, Path)) else {}
        return {**written, **os.environ}

    def _read(self, name: str, variables: Mapping[str, str | None]) -> str | None:
        variable = self._variable_name(name)
        path = variables.get(f"{variable}{_SUFFIX}")
        if not path:
            return None
        if variables.get(variable):
            raise SettingsError(f"Set one of {variable} and {variable}{_SUFFIX}, not both.")
        try:
            with Path(path).open("rb") as file:
                secret = file.read(_MOST_BYTES + 1).decode().rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"{variable}{_SUFFIX}: the file {path} cannot be read: {reason}.") from None
        if not secret or len(secret) > _MOST_BYTES:
            what = "is empty" if not secret else f"has more than {_MOST_BYTES} bytes"
            raise SettingsError(f"{variable}{_SUFFIX}: the file {path} {what}; put the secret in it, and nothing else.")
        return secret


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))
