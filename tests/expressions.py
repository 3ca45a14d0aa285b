"""What the dashboard and the alerts ask Prometheus for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser
import yaml

from tests.serving import ROOT

DASHBOARD = ROOT / "deploy/grafana/dashboards/ekiben.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yml"


@dataclass(frozen=True)
class Selection:
    """A metric, and the labels by which it is chosen or grouped."""

    metric: str
    labels: frozenset[str]


def panels() -> dict[str, list[str]]:
    """Each panel's expressions by its title, with Grafana's variables filled in as for everything."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    variables = {f"${each['name']}": each["allValue"] for each in dashboard["templating"]["list"]}
    variables["$__rate_interval"] = "1m"

    def filled(expression: str) -> str:
        for name, value in variables.items():
            expression = expression.replace(name, value)
        return expression

    return {panel["title"]: [filled(each["expr"]) for each in panel["targets"]] for panel in dashboard["panels"]}


def alerts() -> dict[str, str]:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["expr"] for rule in rules}


def selections(expression: str) -> list[Selection]:
    """Everything that an expression selects. Raises `ValueError` where it is not PromQL."""
    return list(_walk(promql_parser.parse(expression), frozenset()))


def _walk(node: Any, grouped: frozenset[str]) -> Iterator[Selection]:
    if isinstance(node, promql_parser.VectorSelector):
        yield Selection(str(node.name), grouped | {matcher.name for matcher in node.matchers.matchers})
        return
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
        grouped |= frozenset(node.modifier.labels)
    parts = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    for part in [*parts, *(getattr(node, "args", None) or ())]:
        if part is not None:
            yield from _walk(part, grouped)
