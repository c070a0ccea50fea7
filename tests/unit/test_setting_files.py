"""Files that settings name: each wrong one is said with its place."""

from pathlib import Path

import pytest

from activities.budgets import read_budgets
from orchestrator.errors import SettingsError
from orchestrator.models.reading import read_models


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"budgets: [{per: tenant}]", "budgets.0 of the budgets in .*: Value error, give hard_usd, soft_usd or both"),
        (b"budgets: [{per: nobody, hard_usd: 1}]", "budgets.0.per of the budgets in"),
        (b"budgets: [", "are not YAML"),
        (b"\xff", "cannot be read: it is not UTF-8 text"),
        (b"- 1", r"the budgets in .*\.yaml: the file holds no names with their values; it has to hold `budgets:`$"),
        (b"", r"the budgets in .*\.yaml: the file is empty; it has to hold `budgets:`$"),
        (b"budgets: 2027-13-45", "are not YAML: month must be in"),
        (b"budgets: " + b"[" * 50_000, r"the budgets in .*\.yaml are nested too deeply to be read"),
    ],
)
def test_a_wrong_file_of_budgets_is_said_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=message):
        read_budgets(path)


def test_a_soft_limit_over_the_hard_one_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    fine = "{per: user, hard_usd: 5, soft_usd: 5}"
    path.write_text(f"budgets: [{fine}, {{per: tenant, hard_usd: 5, soft_usd: 5.01}}]", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"budgets\.1 of the budgets in .*\(5\.01\) is over hard_usd \(5\)"):
        read_budgets(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the models in .*none\.yaml cannot be read: No such file"):
        read_models(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; it has to hold `providers:` or `models:`"),
        ("models: " + "[" * 50_000, "are nested too deeply to be read"),
    ],
)
def test_a_file_of_models_that_holds_none_is_told_in_plain_words(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError, match=message):
        read_models(path)
