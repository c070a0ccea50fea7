"""``estimate`` says what a run would cost, and ``--estimate`` does so before one begins; the former needs no server."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import running
from orchestrator.cli.app import call
from orchestrator.models import add_models

Run = Callable[..., tuple[int, str, str]]
MODELS = """
models:
  cheap: {provider: openai, window: 1000, most_output: 100, prices: [{input: 1, output: 2}]}
  priceless: {provider: openai, window: 1000, most_output: 100}
"""
ASK = """
name: ask
inputs: {text: {type: string}}
nodes:
  - id: ask
    type: ModelInvoke
    retry: {max_attempts: 1}
    config: {model: MODEL, prompt: "{{ inputs.text }}", max_tokens: 10}
"""
LEAST, MOST = 0.000003, 0.000068
"""Of 16 bytes."""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A folder with definitions, prices, no server and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "models.yaml").write_text(MODELS, encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_MODELS_FILE", str(tmp_path / "models.yaml"))
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "ask.yaml").write_text(ASK.replace("MODEL", "cheap"), encoding="utf-8")
    (tmp_path / "other.yaml").write_text(ASK.replace("MODEL", "priceless"), encoding="utf-8")
    yield
    add_models(None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = call(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def estimated(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, err = run("estimate", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_least_and_the_most_are_printed_in_all_and_by_node(run: Run) -> None:
    code, out, err = run("estimate", "ask", "-v", f"text={'x' * 16}")

    assert code == 0
    assert out == "ask\t1\tcheap\t$0.000003000\t$0.000068000\n"
    assert "a run of ask 1.0.0 costs $0.000003000 at least and $0.000068000 at most\n" in err
    assert "simulates them, which costs nothing" in err


def test_as_json_it_has_every_figure(run: Run) -> None:
    found = estimated(run, "ask", "--input", json.dumps({"text": "x" * 16}))

    assert (found["least_usd"], found["most_usd"], found["cap_usd"]) == (LEAST, MOST, None)
    assert found["nodes"] == [
        {
            "node": "ask",
            "type": "ModelInvoke",
            "models": ["cheap"],
            "least_visits": 1,
            "most_visits": 1,
            "least_usd": LEAST,
            "most_usd": MOST,
        }
    ]
    assert found["unknown"] == []


def test_without_inputs_a_text_may_fill_the_window(run: Run) -> None:
    assert estimated(run, "ask")["most_usd"] == pytest.approx((990 * 3 + 16) * 1e-6 + 0.00002)


def test_what_is_not_known_is_named(run: Run) -> None:
    code, out, err = run("estimate", "other.yaml", "-v", "text=Hi")

    assert code == 0
    assert out == "ask\t1\tpriceless\t$0.000000\tnot known\n"
    assert "not known: ask (priceless): nobody knows what the model 'priceless' costs" in err
    assert "at least, and nobody knows how much at most" in err
    assert estimated(run, "other.yaml", "-v", "text=Hi")["unknown"][0]["node"] == "ask"


def test_a_price_for_unknown_models_is_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_UNKNOWN_PRICE", "1/2")

    assert estimated(run, "other.yaml", "-v", f"text={'x' * 16}")["most_usd"] == MOST


def test_a_definition_that_asks_no_models_costs_nothing(run: Run, tmp_path: Path) -> None:
    plain = "name: plain\nnodes: [{id: a, type: Format, config: {template: x}}]\n"
    (tmp_path / "plain.yaml").write_text(plain, encoding="utf-8")

    assert run("estimate", "plain.yaml") == (0, "", "a run of plain 1.0.0 asks no models and costs nothing\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("estimate", "ask", "-v", "txet=x"), 4, "error INPUT_INVALID: inputs of ask: `txet` is not an input of ask"),
        (("estimate", "nowhere"), 5, "error DEFINITION_NOT_FOUND: no definition nowhere"),
        (("estimate", "missing.yaml"), 5, "error DEFINITION_NOT_FOUND: cannot read missing.yaml"),
        (("run", "nowhere", "--estimate"), 2, "error REQUEST_INVALID: what `nowhere` costs cannot be estimated"),
        (("start", "ask", "--estimate"), 4, "error INPUT_INVALID: inputs of ask: `text` is missing"),
    ],
)
def test_what_cannot_be_estimated_is_one_clear_error(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found = run(*arguments)

    assert (found[0], found[1]) == (code, "")
    assert found[2].startswith(said)
    assert found[2].count("\n") == 1


def started(*_: object, **__: object) -> None:
    pytest.fail("it was started")


@pytest.mark.parametrize("command", ["run", "start"])
def test_what_costs_more_than_its_cap_even_at_least_is_not_begun(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "on_server", started)
    monkeypatch.setattr(running, "any_session", started)

    code, out, err = run(command, "ask", "-v", f"text={'x' * 16}", "--estimate", "--max-cost", "0.000002")

    assert (code, out) == (2, "")
    assert "ask\t1\tcheap\t$0.000003000\t$0.000068000\n" in err
    assert (
        "error REQUEST_INVALID: the run would cost $0.000003000 at least, more than the $0.000002000 that it may" in err
    )


@pytest.mark.parametrize("command", ["run", "start"])
def test_what_may_cost_as_much_is_told_and_begun(run: Run, command: str) -> None:
    code, out, err = run(command, "ask", "-v", f"text={'x' * 16}", "--estimate", "--max-cost", "0.00001")

    assert (code, out) == (3, ""), "there is no server here, and it was asked for one"
    assert "costs $0.000003000 at least and $0.000010000 at most (its cap: $0.000010000)" in err
    assert "error SERVER_UNAVAILABLE" in err
