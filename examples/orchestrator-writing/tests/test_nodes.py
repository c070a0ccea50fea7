"""The node types by themselves: through the very activities that a worker registers, without a server."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from activities.extending import ChatRequest, ExtensionContext, FolderBlobs, Turn, node_activity, quick_activity
from orchestrator.extending import NodeCall, NodeError, NodeOutput, ProviderUnavailableError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from orchestrator_writing.models import local
from orchestrator_writing.nodes import proofread, text_stats
from orchestrator_writing.types import PROOFREAD, TEXT_STATS, ProofreadConfig, TextStatsConfig


class NoSecrets:
    """A worker without secrets."""

    def get(self, name: str) -> str:
        """Never has one."""
        raise NodeError(f"there is no secret {name}")

    def mask(self, value: Any) -> Any:
        """Has nothing to mask."""
        return value


def context(folder: Path, answer: httpx.Response | Exception, **settings: str) -> ExtensionContext:
    """What a worker gives, with a service that always answers the same."""

    def respond(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    return ExtensionContext(http=http, secrets=NoSecrets(), blobs=FolderBlobs(folder), settings=settings)


async def perform(activity: Any, node_type: str, config: dict[str, Any]) -> dict[str, Any]:
    """Runs an activity as a worker does: templates filled in, config checked, errors translated."""
    call = NodeCall(node="node", type=node_type, config=config, values={}, first_run_id="run-1")
    output: NodeOutput = await ActivityEnvironment().run(activity, call)
    return output.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two. Three!", {"words": 3, "sentences": 2, "characters": 15, "minutes": 1}),
        ("no end", {"words": 2, "sentences": 1, "characters": 6, "minutes": 1}),
        ("", {"words": 0, "sentences": 0, "characters": 0, "minutes": 0}),
    ],
)
async def test_a_text_is_counted(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    given = context(tmp_path, httpx.Response(500))
    activity = quick_activity(TEXT_STATS, TextStatsConfig, text_stats(given), given.blobs)

    assert await perform(activity, "TextStats", {"text": text}) == expected


async def check(given: ExtensionContext) -> dict[str, Any]:
    """Has `I has` proofread."""
    activity = node_activity(PROOFREAD, ProofreadConfig, proofread(given), given.blobs)
    return await perform(activity, "Proofread", {"text": "I has"})


async def test_a_finding_shows_what_is_wrong_and_what_is_better(tmp_path: Path) -> None:
    match = {"offset": 2, "length": 3, "message": "Agreement", "replacements": [{"value": "have"}]}
    found = await check(context(tmp_path, httpx.Response(200, json={"matches": [match]}), writing_url="http://spell"))

    assert found == {"findings": [{"text": "has", "message": "Agreement", "better": ["have"]}], "count": 1}


@pytest.mark.parametrize(
    ("answer", "code", "final"),
    [
        (httpx.Response(503), "PROVIDER_UNAVAILABLE", False),
        (httpx.ConnectError("refused"), "PROVIDER_UNAVAILABLE", False),
        (httpx.Response(200, text="<html>"), "PROVIDER_UNAVAILABLE", False),
        (httpx.Response(200, json={"other": []}), "PROVIDER_UNAVAILABLE", False),
        (httpx.Response(400, text="no such language"), "PROVIDER_REJECTED", True),
    ],
)
async def test_an_error_says_whether_trying_again_can_help(
    tmp_path: Path, answer: httpx.Response | Exception, code: str, *, final: bool
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await check(context(tmp_path, answer, writing_url="http://spell"))

    assert (caught.value.type, caught.value.non_retryable) == (code, final)


async def test_without_an_address_the_error_says_which_variable_to_set(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match="ORCHESTRATOR_EXTENSION_WRITING_URL"):
        await check(context(tmp_path, httpx.Response(200)))


async def test_a_local_model_answers(tmp_path: Path) -> None:
    said = {"model": "small", "message": {"content": "I have"}, "prompt_eval_count": 4, "eval_count": 2}
    provider = local(context(tmp_path, httpx.Response(200, json=said)))
    reply = await provider.complete(ChatRequest(model="small", turns=(Turn("user", "Mend: I has"),)))

    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("I have", 4, 2)


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), httpx.Response(200, json={"model": "small"})])
async def test_local_models_that_are_away_or_unreadable_may_be_asked_again(
    tmp_path: Path, answer: httpx.Response | Exception
) -> None:
    provider = local(context(tmp_path, answer))
    with pytest.raises(ProviderUnavailableError):
        await provider.complete(ChatRequest(model="small", turns=(Turn("user", "Hi"),)))
