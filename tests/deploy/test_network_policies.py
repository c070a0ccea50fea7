"""What the chart's network policies let pods do, as Kubernetes would judge it."""

from ipaddress import ip_address, ip_network

import pytest

from tests.deploy.chart import CASES, Manifest, Rendered, render, values_of

INSIDE, INSIDE_6 = "10.1.2.3", "fd00::1"
OUTSIDE, OUTSIDE_6 = "203.0.113.7", "2001:db8::7"
METADATA = "169.254.169.254"
"""Where clouds give credentials to whoever asks."""


@pytest.fixture(params=CASES)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(values_of(request.param))


def selects(policy: Manifest, labels: dict[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    named = selector["matchLabels"].items() <= labels.items()
    return named and all(labels.get(item["key"]) in item["values"] for item in selector.get("matchExpressions", []))


def policies_of(rendered: Rendered, component: str) -> list[Manifest]:
    """The policies for the pods of a component."""
    [labels] = [
        pod["metadata"]["labels"]
        for _, pod in rendered.pods()
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    return [policy for policy in rendered.of("NetworkPolicy") if selects(policy, labels)]


def may_call(policy: Manifest, address: str, port: int) -> bool:
    """Whether pods may connect there; peers that are named by labels are nobody's address."""
    for rule in policy["spec"].get("egress", []):
        if port in [item["port"] for item in rule["ports"]] and (
            "to" not in rule or any(_covers(peer["ipBlock"], address) for peer in rule["to"] if "ipBlock" in peer)
        ):
            return True
    return False


def _covers(block: Manifest, address: str) -> bool:
    there = ip_address(address)
    return there in ip_network(block["cidr"]) and not any(there in ip_network(part) for part in block.get("except", ()))


def test_every_pod_has_exactly_one_policy_for_both_directions(rendered: Rendered) -> None:
    pods = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in rendered.pods()}
    for component in pods:
        [policy] = policies_of(rendered, component)
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"], component


@pytest.mark.parametrize(
    ("address", "port", "allowed"),
    [
        (INSIDE, 53, True),
        (INSIDE, 7233, True),
        (OUTSIDE, 7233, True),
        (OUTSIDE, 443, True),
        (OUTSIDE_6, 443, True),
        (INSIDE, 443, False),
        (INSIDE_6, 443, False),
        (METADATA, 443, False),
        (METADATA, 80, False),
        (INSIDE, 5432, False),
        (INSIDE, 6379, False),
        (OUTSIDE, 5432, False),
        (OUTSIDE, 22, False),
    ],
)
def test_workers_reach_temporal_and_the_outside_and_not_the_inside(address: str, port: int, *, allowed: bool) -> None:
    [policy] = policies_of(render({}), "worker")

    assert may_call(policy, address, port) == allowed


@pytest.mark.parametrize("port", [5432, 6379])
def test_a_database_and_redis_inside_can_be_let_in(port: int) -> None:
    inside = {"ports": [{"port": port, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}
    [policy] = policies_of(render({"networkPolicy": {"extraEgress": [inside]}}), "worker")

    assert may_call(policy, INSIDE, port)
    assert not may_call(policy, INSIDE, 443)


def test_a_port_outside_is_let_out_to_by_itself() -> None:
    [policy] = policies_of(render({"networkPolicy": {"egressPorts": [443, 5432]}}), "worker")

    assert may_call(policy, OUTSIDE, 5432)
    assert not may_call(policy, INSIDE, 5432)


def test_only_metrics_of_workers_can_be_asked_for(rendered: Rendered) -> None:
    [policy] = policies_of(rendered, "worker")
    (container,) = rendered.worker()["spec"]["containers"]
    [metrics] = [item["containerPort"] for item in container["ports"] if item["name"] == "metrics"]

    assert [[item["port"] for item in rule["ports"]] for rule in policy["spec"]["ingress"]] == [[metrics]]


def test_the_jobs_talk_to_temporal_and_to_nobody_else() -> None:
    for component in ("register", "replay-gate"):
        [policy] = policies_of(render({}), component)
        assert may_call(policy, INSIDE, 7233)
        assert not may_call(policy, OUTSIDE, 443)
        assert "ingress" not in policy["spec"]


def test_the_codec_server_calls_nobody_and_is_called_by_whom_the_values_say() -> None:
    ingress = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    values = values_of("production")
    [policy] = policies_of(render({**values, "networkPolicy": {"codecFrom": ingress}}), "codec")

    assert not any(may_call(policy, address, port) for address in (INSIDE, OUTSIDE) for port in (53, 443, 7233))
    assert policy["spec"]["ingress"] == [{"ports": [{"port": 8081, "protocol": "TCP"}], "from": ingress}]
