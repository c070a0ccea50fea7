"""Renders the chart with Helm's own engine: ``python -m tests.deploy.render`` reads values from standard input.

A process of its own, because the engine is Go: its runtime stays out of the one that runs the tests.
"""

import json
import sys

import helm_python as helm

from tests.deploy.dockerfile import ROOT

CHART = ROOT / "deploy" / "kubernetes" / "chart"
NAMESPACE = "flows"
RELEASE = "demo"


def main() -> None:
    """Prints ``{"findings": …, "manifests": {template: text}}`` as JSON, or ``{"refused": why}``."""
    values = json.load(sys.stdin)
    try:
        findings = helm.lint(CHART, values, strict=True, namespace=NAMESPACE)["messages"]
        with helm.Chart.load(CHART) as chart:
            chart.validate_schema(values)
            manifests = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    except helm.HelmError as error:
        json.dump({"refused": str(error)}, sys.stdout)
    else:
        json.dump({"findings": findings, "manifests": manifests}, sys.stdout)


if __name__ == "__main__":
    main()
