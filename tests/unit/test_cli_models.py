"""``models`` lists what definitions may name, ``models test`` asks one of them; neither needs a server."""

import json
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.render import usage_line
from orchestrator.contracts import Usage
from orchestrator.models import ModelInfo, add_models, known_models
from orchestrator.models.shown import shown_price
from tests.unit.loopback import Answer, Web, web
from tests.unit.test_providers import COMPLETION

KEY = "sk-very-secret-1"
SOON = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
FILE = """
providers:
  house: {kind: openai, base_url: "URL/v1", key_env: HOUSE_KEY}
models:
  in-house: {provider: house, window: 8192, most_output: 1024, prices: [{input: 1, output: 2.50, since: 2026-01-01}]}
  in-house-old: {provider: house, retired: true, abilities: [stream]}
  in-house-leaving: {provider: house, retires: 2999-01-01, abilities: [stream]}
  in-house-soon: {provider: house, retires: SOON, abilities: [stream]}
  in-house-left: {provider: house, retires: 2020-01-01, abilities: [stream]}
  in-house-vectors: {provider: house, abilities: [embed], prices: [{input: 0.02, output: 0}]}
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """An empty folder, no server and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "HOUSE_KEY"):
        monkeypatch.delenv(name, raising=False)
    yield
    add_models(None)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Web]:
    """An endpoint of one's own, named in the file of models, whose key is there."""
    with web() as site:
        site.answers = [Answer(body=COMPLETION)]
        path = tmp_path / "models.yaml"
        path.write_text(FILE.replace("URL", site.url).replace("SOON", SOON), encoding="utf-8")
        monkeypatch.setenv("ORCHESTRATOR_MODELS_FILE", str(path))
        monkeypatch.setenv("HOUSE_KEY", KEY)
        yield site


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    assert call(("models", "--json", *arguments)) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    assert call(("models", *arguments)) == 0
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_every_model_is_listed_with_what_is_known_of_it(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    found = listed(capsys)

    assert set(found) == set(known_models())
    assert found["in-house"] == {
        "name": "in-house",
        "provider": "house",
        "wire_name": "in-house",
        "window": 8192,
        "most_output": 1024,
        "abilities": ["stream", "json", "tools"],
        "price": {"input": 1.0, "output": 2.5, "since": "2026-01-01", "rises": False, "source": "registry"},
        "ready": True,
        "retired": False,
        "retires": None,
    }
    assert found["in-house-old"]["retired"]
    assert found["in-house-old"]["price"] is None
    assert found["gpt-4o-mini"]["price"]["source"] == "genai-prices"
    assert found["gpt-4o-mini"]["window"] == 128_000
    assert found["o3"]["price"]["since"] == "2025-06-10"
    assert (found["gpt-4o-mini"]["ready"], found["simulated"]["ready"]) == (False, True)
    assert house.seen == []


def test_people_see_one_line_for_each(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    shown = {row[0]: row[1:] for row in rows(capsys)}

    assert shown["in-house"] == ["house", "8192", "1024", "stream json tools", "1", "2.5", "2026-01-01", "yes", ""]
    assert shown["in-house-old"] == ["house", "?", "?", "stream", "?", "?", "", "yes", "retired"]
    assert shown["in-house-leaving"][-1] == "until 2999-01-01"
    assert shown["in-house-left"][-1] == "retired"
    assert shown["gpt-5.4"][4].endswith("+"), "long questions cost more"
    assert house.seen == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("--filter", "house"),
            {"in-house", "in-house-old", "in-house-leaving", "in-house-soon", "in-house-left", "in-house-vectors"},
        ),
        (("-f", "HOUSE", "-f", "json"), {"in-house"}),
        (
            ("--ready",),
            {
                "in-house",
                "in-house-old",
                "in-house-leaving",
                "in-house-soon",
                "in-house-left",
                "in-house-vectors",
                "simulated",
            },
        ),
        (("--filter", "nothing-of-the-kind"), set[str]()),
    ],
)
def test_the_list_is_narrowed_down(
    capsys: pytest.CaptureFixture[str], house: Web, arguments: tuple[str, ...], expected: set[str]
) -> None:
    assert set(listed(capsys, *arguments)) == expected
    assert house.seen == []


def test_an_empty_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("models", "--filter", "nothing-of-the-kind")) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no model matches\n")


def test_a_price_that_nobody_knows_is_not_made_up() -> None:
    model = ModelInfo(name="x", provider="house", wire_name="x")
    assert shown_price(model) is None
    assert shown_price(ModelInfo(name="x", provider="openai", wire_name="no-such-model")) is None


def test_a_model_is_asked_for_one_word(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    assert call(("models", "test", "in-house", "--json")) == 0

    found = json.loads(capsys.readouterr().out)
    assert found.pop("latency_s") >= 0
    assert found == {
        "model": "in-house",
        "served_by": "served-model",
        "provider": "house",
        "simulated": False,
        "text": "Hello",
        "dimensions": None,
        "input_tokens": 5,
        "output_tokens": 2,
        "cost_usd": 0.00001,
    }
    (seen,) = house.seen
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(seen.body)["max_tokens"] == 200


def test_people_read_how_long_it_took_and_what_it_cost(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    assert call(("models", "test", "in-house")) == 0

    captured = capsys.readouterr()
    assert captured.out.startswith("in-house answered 'Hello' after 0.")
    assert captured.out.endswith(" s (house, served-model): 5 tokens in, 2 out, $0.000010\n")
    assert captured.err == ""
    assert len(house.seen) == 1


def test_a_model_that_only_embeds_gives_a_vector(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    house.answers = [Answer(body={"data": [{"embedding": [1, 0, 0]}], "usage": {"prompt_tokens": 6}})]

    assert call(("models", "test", "in-house-vectors")) == 0

    assert "in-house-vectors answered a vector of 3 after" in capsys.readouterr().out
    assert house.seen[0].path == "/v1/embeddings"


def test_a_model_without_a_price_is_asked_all_the_same(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    assert call(("models", "test", "in-house-old")) == 0

    captured = capsys.readouterr()
    assert captured.out.endswith("5 tokens in, 2 out, of unknown cost\n")
    assert captured.err == "note: in-house-old is marked as retired: its provider may serve it no more\n"
    assert len(house.seen) == 1


def test_a_model_that_is_served_no_more_from_a_day_on_is_noted(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    assert call(("models", "--filter", "in-house-")) == 0
    assert capsys.readouterr().err == (
        f"note: in-house-soon retires on {SOON}: from then on its provider serves it no more\n"
    )

    found = listed(capsys)
    days = {name: (found[name]["retired"], found[name]["retires"]) for name in found if "in-house-" in name}
    assert days == {
        "in-house-old": (True, None),
        "in-house-leaving": (False, "2999-01-01"),
        "in-house-soon": (False, SOON),
        "in-house-left": (True, "2020-01-01"),
        "in-house-vectors": (False, None),
    }
    assert house.seen == []


def test_without_a_name_the_first_that_is_ready_is_asked(capsys: pytest.CaptureFixture[str], house: Web) -> None:
    assert call(("models", "test", "--json")) == 0

    assert json.loads(capsys.readouterr().out)["model"] == "in-house"
    assert len(house.seen) == 1


def test_without_any_provider_the_simulated_one_answers_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("models", "test")) == 0
    assert "[simulated]" in capsys.readouterr().out

    assert call(("models", "test", "gpt-4o")) == 0
    captured = capsys.readouterr()
    assert "[simulated]" in captured.out
    assert captured.out.endswith(" out, simulated, costs nothing\n")
    assert captured.err == (
        "note: no model provider is configured, so the simulated one answered: docs/models.md says how to set one\n"
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=401, body={"error": {"message": f"bad key {KEY}"}}), "PROVIDER_AUTH: .* 401: check HOUSE_KEY"),
        (Answer(status=404, body={"error": {"message": "no such model"}}), "PROVIDER_REJECTED: .* 404: no such model"),
        (Answer(status=429), "PROVIDER_RATE_LIMITED: .* 429"),
        (Answer(body="<html>"), "PROVIDER_UNAVAILABLE: .* cannot be read"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_without_the_key(
    capsys: pytest.CaptureFixture[str], house: Web, answer: Answer, message: str
) -> None:
    house.answers = [answer]

    assert call(("models", "test", "in-house")) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert KEY not in captured.err
    (line,) = captured.err.splitlines()
    assert re.match(f"error {message}", line)


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("gpt-4p", 2, "error REQUEST_INVALID: unknown model 'gpt-4p'; did you mean"),
        ("claude-haiku-4-5", 1, "error PROVIDER_AUTH: the model 'claude-haiku-4-5' needs the provider anthropic"),
    ],
)
def test_a_model_that_cannot_be_asked_is_named_with_what_is_missing(
    capsys: pytest.CaptureFixture[str], house: Web, model: str, code: int, said: str
) -> None:
    assert call(("models", "test", model)) == code

    assert capsys.readouterr().err.startswith(said)
    assert house.seen == []


def test_a_missing_key_is_named(
    capsys: pytest.CaptureFixture[str], house: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOUSE_KEY")

    assert call(("models", "test", "in-house")) == 1
    assert "give the worker the variable HOUSE_KEY" in capsys.readouterr().err
    assert not listed(capsys)["in-house"]["ready"]
    assert house.seen == []


def test_a_wrong_file_of_models_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.yaml").write_text("models: {x: {provider: 7}}", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_MODELS_FILE", "models.yaml")

    assert call(("models",)) == 2
    assert capsys.readouterr().err.startswith("error SETTINGS_INVALID: models.x.provider of the models in models.yaml")


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ({"calls": 2, "simulated": 2}, "2 model calls, 0 tokens in, 0 out, simulated, costs nothing"),
        ({"calls": 2, "simulated": 1}, "2 model calls, 0 tokens in, 0 out, cost not known"),
        ({"calls": 2, "simulated": 1, "cost_usd": 0.5}, "2 model calls, 0 tokens in, 0 out, $0.500000"),
        ({}, "no model calls"),
    ],
)
def test_what_a_run_took_says_whether_any_model_was_asked(used: dict[str, Any], said: str) -> None:
    usage = Usage().plus(Usage(**used))

    assert usage_line(usage, usage.cost_usd) == said
