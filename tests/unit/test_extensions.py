"""What installed packages declare: found by their real metadata, used, and refused with the reason."""

import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import activities.extending
import orchestrator.extending
from activities import extensions
from activities.asking import Desk
from activities.blobs import FolderBlobs
from activities.caching import Cache
from activities.extending import ChatReply, ChatRequest, EmbedReply, EmbedRequest, ExtensionContext, Turn
from activities.extensions import extension_activities, extension_providers, extension_settings, not_installed
from activities.model_invoke import handler
from activities.providers.opening import provider_for
from activities.providers.simulated import Simulated
from activities.secrets import NamedSecrets
from activities.spending import Purse
from orchestrator import models, safety
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, RequestError, SettingsError
from orchestrator.models import find_model
from orchestrator.node_types import BUILT_IN
from orchestrator.node_types.base import NodeType
from orchestrator.node_types.installed import NodeTypes
from orchestrator.node_types.model_invoke import ModelInvokeConfig
from orchestrator.safety import Guard
from orchestrator.settings import Settings
from tests.unit.loopback import call
from worker import open_dependencies

GOOD = """
    from activities.extending import ChatReply
    from orchestrator.extending import ConfigModel, NodeError, NodeOutput, NodeType, Text

    class Config(ConfigModel):
        text: Text

    SHOUT = NodeType(name="Shout", summary="Shouts.", tier="quick", config=Config, outputs=("text",))
    FETCH = NodeType(name="Fetch", summary="Fetches.", tier="work", config=Config, outputs=("text", "more"))

    def shout(context):
        def handle(config, call):
            if config.text == "secret":
                raise NodeError("refused " + context.secrets.get("key"))
            if config.text == "nothing":
                return {}
            return NodeOutput(output={"text": config.text.upper() + context.settings.get("mark", "")})
        return handle

    def fetch(context):
        async def handle(config, call):
            return NodeOutput(output={"text": context.secrets.get("key")})
        return handle

    class Parrot:
        name = "parrot"
        async def complete(self, request):
            return ChatReply(text=request.turns[-1].content, model=request.model, finish_reason="stop",
                             input_tokens=1, output_tokens=1)

    def parrot(context):
        return Parrot()

    def fails(context):
        raise KeyError("no " + context.secrets.get("key"))

    NOTHING = None
    def gives_nothing(context):
        return None
"""
TYPES = "orchestrator.node_types"
ACTIVITIES = "orchestrator.activities"
PROVIDERS = "orchestrator.providers"
Install = Callable[..., None]
Names = dict[str, dict[str, str]]
BOTH: Names = {TYPES: {"Shout": "SHOUT", "Fetch": "FETCH"}, ACTIVITIES: {"Shout": "shout", "Fetch": "fetch"}}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts packages where Python finds them: a module, and the metadata that pip would write."""

    def put(names: Names, *, package: str = "good-pack", source: str = GOOD) -> None:
        site, module = tmp_path / package, package.replace("-", "_")
        about = site / f"{module}-1.2.dist-info"
        about.mkdir(parents=True)
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {module}:{value}\n" for name, value in lines.items())
            for group, lines in names.items()
        ]
        (about / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
        monkeypatch.setattr(sys, "path", [str(site), *sys.path])
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setattr(extensions, "NODE_TYPES", NodeTypes(BUILT_IN))

    return put


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExtensionContext:
    """What a worker gives a factory."""
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEY", "one-two-three")
    monkeypatch.setenv("ORCHESTRATOR_EXTENSION_MARK", "!")
    return ExtensionContext(
        http=httpx.AsyncClient(),
        secrets=NamedSecrets("ORCHESTRATOR_SECRET_"),
        blobs=FolderBlobs(tmp_path / "blobs"),
        settings=extension_settings(),
    )


async def perform(context: ExtensionContext, node_type: str, text: str) -> dict[str, Any]:
    named = {getattr(made, "__temporal_activity_definition").name: made for made in extension_activities(context)}
    output = await ActivityEnvironment().run(named[node_type], call(node_type, {"text": text}))
    return output.output


def test_without_packages_the_table_has_the_built_in_types_only() -> None:
    table = NodeTypes(BUILT_IN)

    assert (dict(table), len(table), table.origins) == (dict(BUILT_IN), len(BUILT_IN), {})
    assert "Shout" not in table


def test_types_of_packages_come_after_the_built_in_ones_with_their_origin(install: Install) -> None:
    install(BOTH)
    table = NodeTypes(BUILT_IN)

    assert list(table) == [*BUILT_IN, "Fetch", "Shout"]
    assert table["Shout"].summary == "Shouts."
    assert {name: str(origin) for name, origin in table.origins.items()} == {
        "Fetch": "good-pack 1.2",
        "Shout": "good-pack 1.2",
    }


async def test_a_handler_gets_what_its_factory_was_given(install: Install, context: ExtensionContext) -> None:
    install(BOTH)

    assert await perform(context, "Shout", "hi") == {"text": "HI!"}


async def test_errors_and_outputs_show_no_secret(install: Install, context: ExtensionContext) -> None:
    install({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "shout"}})

    with pytest.raises(ApplicationError, match=re.escape("refused ***")):
        await perform(context, "Shout", "secret")
    assert await perform(context, "Shout", "One") == {"text": "ONE!"}


@pytest.mark.parametrize(
    ("node_type", "reason"), [("Shout", "gave a dict, not a NodeOutput"), ("Fetch", "left out more")]
)
async def test_an_output_that_the_type_does_not_declare_is_an_error(
    install: Install, context: ExtensionContext, node_type: str, reason: str
) -> None:
    install(BOTH)
    with pytest.raises(ApplicationError, match=reason) as caught:
        await perform(context, node_type, "nothing")
    assert caught.value.non_retryable


BAD_TYPES: list[tuple[str, str, str]] = [
    ("Transform", "SHOUT", "`Transform` is a built-in node type"),
    ("Sleep", "SHOUT", "another word for the built-in `Wait`"),
    ("shout", "SHOUT", "begins with a capital letter"),
    ("Sh-out", "SHOUT", "begins with a capital letter"),
    ("Shout", "NOTHING", "must be a NodeType, not a NoneType"),
    ("Shout", "FETCH", "the NodeType is named `Fetch`"),
    ("Shout", "GONE", "cannot be imported"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD_TYPES)
def test_a_type_that_cannot_be_used_is_refused_by_package_and_entry_point(
    install: Install, name: str, value: str, reason: str
) -> None:
    install({TYPES: {name: value}})
    with pytest.raises(SettingsError, match=re.escape(reason)) as caught:
        len(NodeTypes(BUILT_IN))
    assert f"package good-pack 1.2, entry point `{name} = good_pack:{value}` of {TYPES}" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ('tier="control", config=Config', "its tier is `control`, which the workflow performs itself"),
        ('tier="quick", config=Config, has_body=True', "are for control nodes"),
        ('tier="quick", config=dict', "a class made from ConfigModel"),
    ],
)
def test_a_type_may_not_be_a_step_of_the_run_itself(install: Install, changes: str, reason: str) -> None:
    source = f"{textwrap.dedent(GOOD)}\nSHOUT = NodeType(name='Shout', summary='', {changes}, outputs=None)\n"
    install({TYPES: {"Shout": "SHOUT"}}, source=source)
    with pytest.raises(SettingsError, match=re.escape(reason)):
        NodeTypes(BUILT_IN).get("Shout")


def test_two_packages_with_the_same_type_are_refused(install: Install) -> None:
    install({TYPES: {"Shout": "SHOUT"}})
    install({TYPES: {"Shout": "SHOUT"}}, package="other-pack")
    with pytest.raises(SettingsError, match=re.escape("package good-pack 1.2 declares `Shout` as well")) as caught:
        list(NodeTypes(BUILT_IN))
    assert "other-pack 1.2" in caught.value.message


def test_every_problem_of_every_package_is_said_at_once(install: Install) -> None:
    install({TYPES: {"Shout": "GONE", "shout": "SHOUT"}})
    with pytest.raises(SettingsError) as caught:
        list(NodeTypes(BUILT_IN))
    assert caught.value.message.count("package good-pack 1.2") == 2


BAD_ACTIVITIES: list[tuple[Names, str]] = [
    ({TYPES: {"Shout": "SHOUT"}}, "package good-pack 1.2: the node type `Shout` has no activity"),
    ({ACTIVITIES: {"Shout": "shout"}}, "no package declares a node type `Shout`"),
    ({ACTIVITIES: {"Format": "shout"}}, "no package declares a node type `Format`"),
    ({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "NOTHING"}}, "must be a factory that takes an ExtensionContext"),
    ({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "gives_nothing"}}, "must give a handler, not a NoneType"),
    ({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "fails"}}, "its factory failed (KeyError: 'no ***')"),
    ({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "fetch"}}, "its handler must be plain `def`"),
    ({TYPES: {"Fetch": "FETCH"}, ACTIVITIES: {"Fetch": "shout"}}, "its handler must be `async def`"),
    ({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "gone"}}, "cannot be imported"),
]


@pytest.mark.parametrize(("names", "reason"), BAD_ACTIVITIES)
def test_an_activity_that_cannot_be_used_is_refused(
    install: Install, context: ExtensionContext, names: Names, reason: str
) -> None:
    install(names)
    with pytest.raises(SettingsError, match=re.escape(reason)):
        extension_activities(context)


def test_two_activities_for_one_type_are_refused(install: Install, context: ExtensionContext) -> None:
    install({TYPES: {"Shout": "SHOUT"}, ACTIVITIES: {"Shout": "shout"}})
    install({ACTIVITIES: {"Shout": "shout"}}, package="other-pack")
    with pytest.raises(SettingsError, match="there are two activities for `Shout`"):
        extension_activities(context)


async def test_a_provider_answers_for_the_models_with_its_name(install: Install, context: ExtensionContext) -> None:
    install({PROVIDERS: {"parrot": "parrot"}})
    models.provider_names.cache_clear()
    try:
        desk = Desk({"simulated": Simulated(), **extension_providers(context)}, Purse())
        handle = handler(desk, Guard(safety.BUILT_IN, {}, {}), Cache())
        config = ModelInvokeConfig(model="parrot/grey", prompt="Hello")
        output = await ActivityEnvironment().run(handle, config, call("ModelInvoke", {}))
    finally:
        models.provider_names.cache_clear()

    assert (output.output["text"], output.output["model"], output.output["provider"]) == ("Hello", "grey", "parrot")


WHOLE = """
    from activities.extending import ChatReply, EmbedReply, EmbedRequest, ModelProvider

    class Owl:
        name = "owl"

        async def complete(self, request):
            return ChatReply(text="hoo", model=request.model, finish_reason="stop", input_tokens=3, output_tokens=1)

        async def stream(self, request):
            yield "ho"
            yield "o"
            yield await self.complete(request)

        async def embed(self, request: EmbedRequest) -> EmbedReply:
            vectors = tuple((float(len(text)),) for text in request.texts)
            return EmbedReply(vectors=vectors, model=request.model, input_tokens=7)

    def owl(context) -> ModelProvider:
        return Owl()
"""


async def test_a_package_brings_a_provider_that_a_worker_finds_streams_from_and_asks_for_vectors(
    install: Install, worker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    install({PROVIDERS: {"owl": "owl"}}, package="owls", source=WHOLE)
    models.provider_names.cache_clear()
    monkeypatch.setattr(extensions, "NODE_TYPES", NodeTypes(BUILT_IN))
    try:
        settings = worker_settings.model_copy(update={"model_rates": {"owl": "100/second", "owl/barn": "100/second"}})
        async with open_dependencies(settings) as dependencies:
            provider = provider_for(dependencies.chat, find_model("owl/barn"))
            written = [part async for part in provider.stream(ChatRequest(model="barn", turns=(Turn("user", "Hi"),)))]
            vectors = await provider.embed(EmbedRequest(model="barn", texts=("a", "bcd")))
    finally:
        models.provider_names.cache_clear()

    reply = ChatReply(text="hoo", model="barn", finish_reason="stop", input_tokens=3, output_tokens=1)
    assert written == ["ho", "o", reply]
    assert vectors == EmbedReply(vectors=((1.0,), (3.0,)), model="barn", input_tokens=7)


def test_a_model_of_a_provider_that_is_not_installed_is_unknown() -> None:
    with pytest.raises(
        RequestError,
        match="no provider 'parrot' is installed here; there are anthropic, bedrock, gemini, openai, simulated",
    ):
        find_model("parrot/grey")


def test_a_definition_that_names_such_a_model_is_told_which_providers_there_are() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_mapping(
            {"name": "a", "nodes": [{"id": "a", "type": "llm", "config": {"model": "parrot/grey", "prompt": "x"}}]}
        )
    assert [issue.hint for issue in caught.value.issues] == [
        "No provider `parrot` is installed here; there are `anthropic`, `bedrock`, `gemini`, `openai` and `simulated`."
    ]


BAD_PROVIDERS: list[tuple[str, str, str]] = [
    ("openai", "parrot", "there is a provider `openai` already"),
    ("simulated", "parrot", "there is a provider `simulated` already"),
    ("Parrot", "parrot", "small letters"),
    ("parrot", "gives_nothing", "has no `name`"),
    ("parrot", "NOTHING", "must be a factory"),
    ("parrot", "fails", "KeyError"),
    ("parrot", "gone", "cannot be imported"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD_PROVIDERS)
def test_a_provider_that_cannot_be_used_is_refused(
    install: Install, context: ExtensionContext, name: str, value: str, reason: str
) -> None:
    install({PROVIDERS: {name: value}})
    with pytest.raises(SettingsError, match=reason) as caught:
        extension_providers(context)
    assert "one-two-three" not in caught.value.message


async def test_a_node_type_that_is_not_there_says_what_to_install_and_may_be_tried_again() -> None:
    with pytest.raises(ApplicationError, match="has no node type `unknown`: install the package") as caught:
        await ActivityEnvironment().run(not_installed, [])
    assert (caught.value.type, caught.value.non_retryable) == ("NODE_FAILED", False)


def test_settings_are_the_variables_with_our_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_EXTENSION_WRITING_URL", "http://x")
    monkeypatch.setenv("ORCHESTRATOR_EXTENSION_EMPTY", "")

    assert extension_settings() == {"writing_url": "http://x"}


@pytest.mark.parametrize("module", [orchestrator.extending, activities.extending])
def test_the_names_that_packages_build_on_are_all_there_and_documented(module: Any) -> None:
    page = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")

    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert [name for name in module.__all__ if f"`{name}`" not in page] == []


def test_the_node_type_that_the_page_declares_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
    block = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    made: dict[str, Any] = {}

    exec(block, made)  # noqa: S102 - our own page

    kind = made["TEXT_STATS"]
    assert isinstance(kind, NodeType)
    assert kind.config.model_validate({"text": 3}).model_dump() == {"text": "3", "words_per_minute": 200}
