"""The dashboard and the alerts ask for metrics that the server has, by labels that these have."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.checks import ROUTE, photograph
from tests.expressions import DASHBOARD, alerts, panels, selections

EXPRESSIONS = {title: each for title, several in panels().items() for each in several} | alerts()
SCRAPER = {"instance", "job"}
"""Labels that Prometheus adds, as it does the metric `up`."""


def exposed(http: httpx.Client) -> dict[str, set[str]]:
    """Every metric and its labels, after some requests."""
    assert http.post(ROUTE, content=photograph()).status_code == 200
    assert http.post(ROUTE, content=b"").status_code == 422
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    return labels


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(http: httpx.Client, title: str) -> None:
    labels = exposed(http)
    chosen = selections(EXPRESSIONS[title])
    assert chosen
    for each in chosen:
        assert each.metric in labels or each.metric == "up"
        assert each.labels <= labels[each.metric] | SCRAPER


def test_variables_offer_what_there_is(http: httpx.Client) -> None:
    labels = exposed(http)
    asked: dict[str, str] = {}
    for variable in json.loads(DASHBOARD.read_text("utf-8"))["templating"]["list"]:
        found = re.fullmatch(r"label_values\((\w+)(?:{.*})?, (\w+)\)", variable["query"]["query"])
        assert found
        asked[variable["name"]], label = found.groups()
        assert label in labels[found[1]] | SCRAPER
    # Every process tells of itself; a gateway whose runners are elsewhere tells of no provider.
    assert "process" in labels[asked["instance"]]
