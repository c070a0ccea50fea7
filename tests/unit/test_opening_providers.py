"""Which provider answers for a model: the configured one, the simulated one only where none is, or a refusal."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from activities.providers import opening
from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest, ModelProvider, Turn
from activities.providers.opening import anything_configured, is_ready, open_providers, provider_for
from activities.providers.simulated import Simulated
from activities.providers.stand_ins import whole
from activities.secrets import SECRET_PREFIX, NamedSecrets
from orchestrator import models
from orchestrator.errors import ProviderAuthError, ProviderRejectedError, ProviderUnavailableError, SettingsError
from orchestrator.models import add_models, find_model
from orchestrator.node_types import NODE_TYPES
from orchestrator.settings import Settings, load_settings
from tests.unit.loopback import Answer, web
from tests.unit.test_providers import COMPLETION

REQUEST = ChatRequest(model="m", turns=(Turn("user", "Hi"),))
ENDPOINTS = """
providers:
  vllm: {kind: openai, base_url: "URL/v1"}
  azure: {kind: openai, base_url: "URL/openai/v1", key_env: MY_AZURE_KEY}
  ollama: {kind: openai, base_url: "URL/v1", key_env: ollama_key, structured: json_object}
models:
  local-llama: {provider: vllm, wire_name: meta-llama/Llama-3, prices: [{input: 0, output: 0}]}
"""


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_AZURE_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


def endpoints(file: Path, url: str = "http://127.0.0.1:9") -> Path:
    file.write_text(ENDPOINTS.replace("URL", url), encoding="utf-8")
    return file


@asynccontextmanager
async def providers(settings: Settings) -> AsyncGenerator[dict[str, ModelProvider]]:
    add_models(settings.models_file)
    secrets = NamedSecrets(SECRET_PREFIX, settings.secrets_dir)
    try:
        async with AsyncExitStack() as open_parts:
            yield dict(open_providers(settings, secrets, open_parts))
    finally:
        add_models(None)


async def test_without_any_real_provider_the_simulated_one_answers_for_all() -> None:
    settings = load_settings(_env_file=None)
    async with providers(settings) as found:
        assert list(found) == ["simulated"]
        assert {provider_for(found, find_model(name)).name for name in ("gpt-4o", "simulated")} == {"simulated"}
        assert not anything_configured(settings)


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        ("claude-haiku-4-5", "set ANTHROPIC_API_KEY"),
        ("gemini-2.5-flash", "set GEMINI_API_KEY"),
        ("bedrock/amazon.nova-lite-v1:0", "set ORCHESTRATOR_BEDROCK_REGION"),
    ],
)
async def test_beside_a_real_provider_nothing_is_made_up(model: str, needed: str) -> None:
    async with providers(load_settings(_env_file=None, openai_api_key="sk-secret-1")) as found:
        assert provider_for(found, find_model("gpt-4o")).name == "openai"
        with pytest.raises(ProviderAuthError, match=needed) as caught:
            provider_for(found, find_model(model))
        assert provider_for(found, find_model("simulated")).name == "simulated"
    assert "sk-secret-1" not in str(caught.value)


async def test_endpoints_of_the_file_stand_beside_each_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_AZURE_KEY", "azure-key-1")
    monkeypatch.setenv(f"{SECRET_PREFIX}OLLAMA_KEY", "ollama-key-1")
    with web() as site:
        site.answers = [Answer(body=COMPLETION)]
        async with providers(load_settings(_env_file=None, models_file=endpoints(file, site.url))) as found:
            for name in ("local-llama", "azure/gpt-4o", "ollama/llama3"):
                model = find_model(name)
                provider = provider_for(found, model)
                await provider.complete(ChatRequest(model=model.wire_name, turns=REQUEST.turns))
                assert provider.name == model.provider
        seen = [(seen.path, seen.headers["authorization"].removeprefix("Bearer ")) for seen in site.seen]

    paths = ["/v1/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions"]
    assert seen == list(zip(paths, ["not-needed", "azure-key-1", "ollama-key-1"], strict=True))


async def test_an_endpoint_without_its_key_refuses_and_names_it(file: Path) -> None:
    settings = load_settings(_env_file=None, models_file=endpoints(file))
    async with providers(settings) as found:
        for name, place in (("azure", "the variable MY_AZURE_KEY"), ("ollama", "the named secret ollama_key")):
            provider = provider_for(found, find_model(f"{name}/x"))
            with pytest.raises(ProviderAuthError, match=place):
                await provider.complete(REQUEST)
            with pytest.raises(ProviderAuthError, match=place):
                await anext(aiter(provider.stream(REQUEST)))
            with pytest.raises(ProviderAuthError, match=place):
                await provider.embed(EmbedRequest(model="x", texts=("x",)))
        secrets = NamedSecrets(SECRET_PREFIX)
        ready = {name: is_ready(name, settings, secrets) for name in ("vllm", "azure", "simulated", "openai", "nobody")}
    assert ready == {"vllm": True, "azure": False, "simulated": True, "openai": False, "nobody": False}


async def test_an_endpoint_that_fails_names_itself_and_where_it_is_set(file: Path) -> None:
    async with providers(load_settings(_env_file=None, models_file=endpoints(file))) as found:
        with pytest.raises(
            ProviderUnavailableError, match="provider vllm cannot be reached: check `base_url` of vllm in the file"
        ):
            await found["vllm"].complete(REQUEST)


async def test_simulation_that_is_asked_for_wins_over_every_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "provider_names", lambda: {"parrot", *models.provider_names()})
    settings = load_settings(
        _env_file=None,
        models_file=endpoints(file),
        openai_api_key="sk-secret-1",
        simulate_models=True,
        bedrock_region="us-east-1",
    )
    async with providers(settings) as found:
        for name in ("gpt-4o", "local-llama", "azure/x", "claude-haiku-4-5"):
            assert provider_for(found, find_model(name)).name == "simulated"
        assert found["parrot"].name == "simulated", "that of a package"
        assert not anything_configured(settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("providers: {openai: {kind: openai, base_url: 'http://a'}}", "providers.openai of the models in .* built in"),
        ("providers: {x: {kind: telepathy, base_url: 'http://a'}}", r"providers\.x\.kind of the models in .*'openai'"),
        ("providers: {x: {kind: openai}}", r"providers\.x\.base_url of the models in .*: Field required"),
        ("providers: {x: {kind: openai, base_url: 'ftp://a'}}", r"providers\.x\.base_url"),
        ("providers: {x: {kind: openai, base_url: 'http://me:pw@a/v1'}}", r"providers\.x\.base_url"),
        ("providers: {x: {kind: openai, base_url: 'http://a', key_env: 'sk-123'}}", r"providers\.x\.key_env"),
        ("providers: {X: {kind: openai, base_url: 'http://a'}}", r"providers\.X"),
        ("{}", "neither `models` nor `providers`"),
    ],
)
def test_a_wrong_providers_section_is_one_clear_error(file: Path, content: str, message: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        add_models(file)
    add_models(None)


class _Bare:
    """What an installed package has at least."""

    name = "bare"

    async def complete(self, request: ChatRequest) -> ChatReply:
        return ChatReply(
            text=request.turns[-1].content, model="b", finish_reason="stop", input_tokens=1, output_tokens=1
        )


class _Streaming(_Bare):
    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        yield "own"
        yield await self.complete(request)


class _Embedding(_Bare):
    async def embed(self, request: EmbedRequest) -> EmbedReply:
        return EmbedReply(vectors=((1.0,),) * len(request.texts), model="b", input_tokens=1)


async def test_a_provider_that_only_completes_streams_in_one_piece_and_embeds_nothing() -> None:
    provider = whole(_Bare())

    pieces = [piece async for piece in provider.stream(REQUEST)]

    assert pieces == ["Hi", await provider.complete(REQUEST)]
    assert provider.name == "bare"
    with pytest.raises(ProviderRejectedError, match="bare has no embeddings"):
        await provider.embed(EmbedRequest(model="b", texts=("x",)))


async def test_what_a_provider_has_of_its_own_is_used() -> None:
    assert await anext(aiter(whole(_Streaming()).stream(REQUEST))) == "own"
    assert (await whole(_Embedding()).embed(EmbedRequest(model="b", texts=("x",)))).vectors == ((1.0,),)
    simulated = Simulated()
    assert whole(simulated) is simulated


@pytest.mark.parametrize("name", ["ModelInvoke", "Embed"])
def test_a_node_that_asks_models_waits_longer_than_a_provider_may_be_silent(name: str) -> None:
    assert NODE_TYPES[name].timeout > load_settings().model_timeout


async def test_every_provider_reads_no_more_of_an_answer_than_the_setting_says(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret-1")
    with web() as site:
        site.answers = [Answer(body={"text": "x" * 100})]
        settings = load_settings(
            _env_file=None,
            models_file=endpoints(file, site.url),
            openai_base_url=f"{site.url}/v1",
            anthropic_base_url=site.url,
            gemini_base_url=site.url,
            bedrock_region="us-east-1",
            bedrock_endpoint_url=site.url,
            model_max_response_bytes=50,
        )
        async with providers(settings) as found:
            for name in ("openai", "anthropic", "gemini", "bedrock", "vllm"):
                with pytest.raises(ProviderUnavailableError, match=f"{name} answered with more than 50 bytes"):
                    await found[name].complete(REQUEST)
