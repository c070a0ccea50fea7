"""Reads what the chart makes of values: manifests, pods, and what they refer to."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pytest
import yaml

from tests.deploy.dockerfile import ROOT

EXAMPLES = ROOT / "deploy" / "kubernetes" / "examples"
CASES = ("defaults", *sorted(file.stem for file in EXAMPLES.glob("*.yaml")))
_INFO = 1
PATIENCE_S = 60

Manifest = dict[str, Any]


class RefusedError(Exception):
    """The chart refuses the values."""


@dataclass(frozen=True)
class Rendered:
    """Values, and what the chart makes of them."""

    values: Manifest
    findings: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    notes: str

    def of(self, kind: str) -> list[Manifest]:
        """The manifests of a kind."""
        return [item for item in self.manifests if item["kind"] == kind]

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Every pod template, by the name of what has it."""
        for item in self.manifests:
            if "containers" in item["spec"].get("template", {}).get("spec", {}) if "spec" in item else False:
                yield item["metadata"]["name"], item["spec"]["template"]

    def worker(self) -> Manifest:
        """The pod template of the workers."""
        (pod,) = [pod for _, pod in self.pods() if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"]
        return pod


def values_of(case: str) -> Manifest:
    """The values of an example; none for the chart's defaults."""
    if case == "defaults":
        return {}
    return cast("Manifest", yaml.safe_load((EXAMPLES / f"{case}.yaml").read_text(encoding="utf-8")))


def render(values: Manifest) -> Rendered:
    """What the chart makes of ``values``.

    Raises:
        RefusedError: Its schema or a template refuses them.
    """
    return _render(json.dumps(values, sort_keys=True))


@cache
def _render(values: str) -> Rendered:
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("needs Helm's engine (package helm-python-sdk)")
    done = subprocess.run(
        [sys.executable, "-m", "tests.deploy.render"],
        input=values,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    told = json.loads(done.stdout)
    if "refused" in told:
        raise RefusedError(told["refused"])
    texts: dict[str, str] = told["manifests"]
    notes = "".join(texts.pop(name) for name in list(texts) if name.endswith("NOTES.txt"))
    documents = [document for name in sorted(texts) for document in yaml.safe_load_all(texts[name])]
    findings = tuple(f"{item['path']}: {item['error']}" for item in told["findings"] if item["severity"] > _INFO)
    return Rendered(json.loads(values), findings, tuple(item for item in documents if item), notes)


def variables(container: Manifest) -> dict[str, Any]:
    """The environment of a container: each variable with its value, or with where that comes from."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}
