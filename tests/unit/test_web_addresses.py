"""Which addresses a request may reach, and that it reaches no other than the one that was checked."""

import socket
from collections.abc import Sequence
from itertools import cycle

import pytest

from activities.http_request import handler
from activities.web import web_client
from activities.web.addresses import AddressGuard, SystemResolver
from orchestrator.cli.session import at_home
from orchestrator.errors import ProviderRejectedError, ProviderUnavailableError
from orchestrator.hosts import PRIVATE
from orchestrator.node_types.http_request import HttpRequestConfig
from orchestrator.settings import load_settings
from tests.unit.loopback import Answer, Web, call, perform, web


class Names:
    """A resolver that gives ``answers`` in turn, for ever; ``asked`` is what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = cycle(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer; none is what an unknown name has."""
        self.asked.append(f"{host}:{port}")
        found = next(self._answers)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found


async def addresses(host: str, found: Sequence[str], allowed: Sequence[str] = ()) -> list[str]:
    return await AddressGuard(allowed, Names(found)).addresses(host, 80)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - one that must be refused
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "168.63.129.16",
        "192.0.0.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "4000::1",
        "100:0:0:1::1",
        "::ffff:0:127.0.0.1",
        "2a00::5efe:10.0.0.1",
        "2a00::200:5efe:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
async def test_an_address_inside_the_network_is_refused(address: str) -> None:
    with pytest.raises(ProviderRejectedError) as caught:
        await addresses("api.example", [address])
    for part in ("api.example", address, "ORCHESTRATOR_HTTP_ALLOW_PRIVATE"):
        assert part in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
async def test_an_address_of_the_public_network_passes(address: str) -> None:
    assert await addresses("api.example", [address]) == [address]


async def test_one_address_inside_the_network_is_enough_to_refuse_a_name() -> None:
    with pytest.raises(ProviderRejectedError, match=r"10\.0\.0\.1"):
        await addresses("api.example", ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    ("allowed", "host", "address"),
    [
        ("10.0.0.0/8", "crm", "10.1.2.3"),
        ("10.1.2.3", "crm", "10.1.2.3"),
        ("10.0.0.0/8", "crm", "::ffff:10.1.2.3"),
        ("crm", "CRM.", "10.1.2.3"),
        ("*.corp.example", "a.b.corp.example", "10.1.2.3"),
        ("::1", "localhost", "::1"),
        ("*", "metadata", "169.254.169.254"),
    ],
)
async def test_a_setting_allows_hosts_and_networks(allowed: str, host: str, address: str) -> None:
    assert await addresses(host, [address], [allowed]) == [address]


@pytest.mark.parametrize(
    ("allowed", "host", "address"),
    [
        ("10.0.0.0/8", "crm", "192.168.0.1"),
        ("crm", "crm.evil.example", "10.1.2.3"),
        ("*.corp.example", "corp.example", "10.1.2.3"),
        ("*.corp.example", "evilcorp.example", "10.1.2.3"),
        ("127.0.0.0/8", "a", "2002:a9fe:a9fe::"),
        *((network, "metadata", address) for network in PRIVATE for address in ("169.254.169.254", "fd00:ec2::254")),
    ],
)
async def test_what_is_allowed_is_no_more_than_what_is_listed(allowed: str, host: str, address: str) -> None:
    with pytest.raises(ProviderRejectedError):
        await addresses(host, [address], [allowed])


@pytest.mark.parametrize("found", [[], None])
async def test_a_name_without_an_address_is_worth_another_try(found: list[str] | None) -> None:
    class Empty(Names):
        async def __call__(self, host: str, port: int) -> Sequence[str]:
            return [] if found is not None else await super().__call__(host, port)

    with pytest.raises(ProviderUnavailableError, match=r"api\.example was not found"):
        await AddressGuard([], Empty([])).addresses("api.example", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "localhost"])
async def test_this_machine_is_recognised_however_it_is_written(site: Web, host: str) -> None:
    port = site.url.rpartition(":")[2]
    config = HttpRequestConfig(url=f"http://{host}:{port}/")
    async with web_client([]) as client:
        with pytest.raises(ProviderRejectedError, match="inside the network"):
            await handler(client, max_bytes=1000)(config, call("HttpRequest", {}))
    assert site.seen == []


async def test_the_refusal_of_a_node_is_final_and_says_what_allows_it(site: Web) -> None:
    with pytest.raises(Exception, match="ORCHESTRATOR_HTTP_ALLOW_PRIVATE") as caught:
        await perform(call("HttpRequest", {"url": site.url}), allowed=())
    assert getattr(caught.value, "non_retryable") is True  # noqa: B009 - an ApplicationError's


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(site: Web) -> None:
    port = site.url.rpartition(":")[2]
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with web_client(["127.0.0.1"], resolve=names) as client:
        handle = handler(client, max_bytes=1000)
        config = HttpRequestConfig(url=f"http://api.example:{port}/", headers={"connection-test": "1"})
        await handle(config, call("HttpRequest", {}))
        assert names.asked == [f"api.example:{port}"]
        assert site.seen[0].headers["host"] == f"api.example:{port}"
        other = HttpRequestConfig(url=f"http://other.example:{port}/")
        with pytest.raises(ProviderRejectedError, match=r"other\.example is 127\.0\.0\.2"):
            await handle(other, call("HttpRequest", {}))
    assert len(site.seen) == 1


async def test_a_name_that_changes_its_address_is_checked_each_time_a_connection_is_opened(site: Web) -> None:
    port = site.url.rpartition(":")[2]
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    site.answers = [Answer(headers={"connection": "close"})]
    async with web_client(["127.0.0.1"], resolve=names) as client:
        handle = handler(client, max_bytes=1000)
        config = HttpRequestConfig(url=f"http://api.example:{port}/")
        await handle(config, call("HttpRequest", {}))
        with pytest.raises(ProviderRejectedError, match=r"169\.254\.169\.254"):
            await handle(config, call("HttpRequest", {}))


async def test_a_redirect_into_the_network_is_refused(site: Web) -> None:
    port = site.url.rpartition(":")[2]
    site.answers = [Answer(status=302, headers={"location": "http://metadata.example/latest/"})]

    async def names(host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1" if host == "api.example" else "169.254.169.254"]

    async with web_client(["127.0.0.1"], resolve=names) as client:
        config = HttpRequestConfig(url=f"http://api.example:{port}/")
        with pytest.raises(ProviderRejectedError, match=r"metadata\.example is 169\.254\.169\.254"):
            await handler(client, max_bytes=1000)(config, call("HttpRequest", {}))


async def test_an_address_that_answers_wins_over_one_that_does_not(site: Web) -> None:
    port = site.url.rpartition(":")[2]
    closed = socket.socket()
    closed.bind(("127.0.0.3", 0))
    try:
        names = Names(["127.0.0.3", "127.0.0.1"])
        async with web_client(["127.0.0.0/8"], resolve=names) as client:
            config = HttpRequestConfig(url=f"http://api.example:{port}/")
            output = await handler(client, max_bytes=1000)(config, call("HttpRequest", {}))
    finally:
        closed.close()
    assert output.output["status"] == 200


async def test_no_address_that_answers_is_worth_another_try() -> None:
    with web() as gone:
        port = gone.url.rpartition(":")[2]
    async with web_client(["127.0.0.0/8"], resolve=Names(["127.0.0.3", "127.0.0.1"])) as client:
        with pytest.raises(ProviderUnavailableError, match="ConnectError"):
            await handler(client, max_bytes=1000)(
                HttpRequestConfig(url=f"http://api.example:{port}/"), call("HttpRequest", {})
            )


async def test_a_proxy_in_the_environment_is_not_used(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await perform(call("HttpRequest", {"url": site.url}))
    assert len(site.seen) == 1


async def test_the_system_is_asked_for_names() -> None:
    resolver = SystemResolver()
    assert "127.0.0.1" in await resolver("localhost", 80)
    resolver.close()


def test_on_somebodys_own_machine_the_private_network_is_allowed_unless_they_list_what_is() -> None:
    assert at_home(load_settings(_env_file=None)).http_allow_private == PRIVATE
    listed = load_settings(_env_file=None, http_allow_private=["crm"])
    assert at_home(listed).http_allow_private == ("crm",)
    assert load_settings(_env_file=None).http_allow_private == ()
