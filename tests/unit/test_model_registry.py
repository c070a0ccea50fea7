"""The models we know by name: who serves them, what they cost, and that none is a guess."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from orchestrator.errors import RequestError, SettingsError
from orchestrator.models import (
    ANTHROPIC,
    BEDROCK,
    BUILT_IN_PROVIDERS,
    GEMINI,
    add_models,
    cost_of,
    find_model,
    known_models,
)
from orchestrator.models import known_window as window_of
from orchestrator.models.retiring import retirement

FILE = Path(__file__).parents[2] / "orchestrator/models/registry.yaml"
MODELS = known_models()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_provider_a_price_and_a_window(name: str) -> None:
    model = MODELS[name]

    assert model.provider in BUILT_IN_PROVIDERS
    assert cost_of(model)(1_000_000, 0) > 0 or model.provider == "simulated"
    assert window_of(model) is not None or model.provider == "simulated"


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if "embed" not in model.abilities])
def test_every_model_that_writes_has_a_limit(name: str) -> None:
    most, window = MODELS[name].most_output, window_of(MODELS[name])

    assert most is not None
    assert window is None or most <= window


@pytest.mark.parametrize("provider", [ANTHROPIC, GEMINI, BEDROCK])
def test_every_provider_has_models_that_are_served_and_some_that_are_no_more(provider: str) -> None:
    retired = {model.retired for model in MODELS.values() if model.provider == provider}

    assert retired == {True, False}


@pytest.mark.parametrize(
    ("name", "provider", "dollars"),
    [
        ("anthropic.claude-instant-v1", BEDROCK, 0.8),
        ("gemini-1.5-flash", GEMINI, 0.15),
        ("claude-3-haiku-20240307", ANTHROPIC, 0.25),
        ("claude-sonnet-5-5", ANTHROPIC, 2.0),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", BEDROCK, 1.0),
        ("cohere.embed-english-v3", BEDROCK, 0.1),
        ("amazon.titan-embed-text-v2:0", BEDROCK, 0.02),
    ],
)
def test_a_million_tokens_cost_what_the_provider_says(name: str, provider: str, dollars: float) -> None:
    model = find_model(name)

    assert model.provider == provider
    assert cost_of(model)(1_000_000, 0) == pytest.approx(dollars * 1e9)


@pytest.mark.parametrize("region", ["us", "eu", "apac"])
def test_the_region_in_a_name_of_bedrock_decides_its_price(region: str) -> None:
    there = cost_of(find_model(f"bedrock/{region}.anthropic.claude-sonnet-4-5-20250929-v1:0"))
    anywhere = cost_of(find_model("global.anthropic.claude-sonnet-4-5-20250929-v1:0"))

    assert there(1_000, 1_000) > anywhere(1_000, 1_000)


def test_a_model_asked_for_through_its_provider_is_the_same() -> None:
    assert find_model("bedrock/anthropic.claude-instant-v1").retired
    assert find_model("anthropic/claude-haiku-4-5").most_output == MODELS["claude-haiku-4-5"].most_output


def test_no_model_is_listed_twice() -> None:
    names = [line.split(": ")[0].strip().rstrip(":") for line in FILE.read_text().splitlines() if line.startswith("  ")]
    names = [name for name in names if name and not name.startswith(("#", "{"))]

    assert sorted(names) == sorted(yaml.safe_load(FILE.read_text())["models"])


@pytest.mark.parametrize("name", ["", "evil\x1b[31m", "two words"])
def test_a_model_of_the_file_whose_name_nobody_could_write_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"models": {name: {"provider": "openai"}}}))

    with pytest.raises(SettingsError, match="should match pattern"):
        add_models(path)


@pytest.mark.parametrize("address", ["http://llm.internal:99999/v1", "http://llm.internal:v1", "http://[::1/v1"])
def test_an_endpoint_whose_address_is_none_is_refused_with_its_place(address: str, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"providers": {"ours": {"kind": "openai", "base_url": address}}}))

    with pytest.raises(SettingsError, match=r"providers\.ours\.base_url of the models in .*: .*it is no address"):
        add_models(path)


def test_a_model_counts_as_retired_from_the_day_on_that_is_known_beforehand() -> None:
    model = MODELS["claude-sonnet-4-5"]
    day = date(2026, 11, 30)

    assert model.retires == day
    assert [model.is_retired(day + timedelta(days=days)) for days in (-1, 0, 1)] == [False, True, True]


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 8, 1), None),
        (date(2026, 11, 29), "retires on 2026-11-30: from then on its provider serves it no more"),
        (date(2026, 11, 30), "retired on 2026-11-30: its provider serves it no more"),
    ],
)
def test_people_are_told_before_and_after(today: date, said: str | None) -> None:
    expected = None if said is None else f"claude-sonnet-4-5 {said}"

    assert retirement(MODELS["claude-sonnet-4-5"], today=today) == expected


@pytest.mark.parametrize(
    ("provider", "hint"),
    [("opnai", "did you mean 'openai'?"), ("vllm", "there are anthropic, bedrock, gemini, openai, ours, simulated")],
)
def test_a_model_of_a_provider_that_is_not_there_is_refused_with_its_place(
    provider: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "models.yaml"
    ours = {"kind": "openai", "base_url": "http://llm.internal/v1"}
    path.write_text(yaml.safe_dump({"providers": {"ours": ours}, "models": {"mine": {"provider": provider}}}))

    with pytest.raises(SettingsError) as caught:
        add_models(path)

    assert caught.value.message.startswith(f"models.mine.provider of the models in {path}: no provider '{provider}' is")
    assert caught.value.message.endswith(hint)
    assert "mine" not in known_models()


@pytest.mark.parametrize(
    "name", ["openai/a\x00b", "openai/a\nb", "openai/\x9b", "openai/\u2028", "openai/\ud800", f"openai/{'a' * 200}"]
)
def test_a_name_that_no_model_can_have_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(RequestError, match=r"is no name of a model: it has at most 200 characters, none of them") as no:
        find_model(name)

    assert no.value.message.isprintable()
    assert len(no.value.message) < 300
