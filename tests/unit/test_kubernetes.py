"""The Kubernetes manifests: valid by Kubernetes' own schemas, true to the catalogue and to our settings, and closed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from models import default_models
from services.draining import EXIT_SECONDS, STAY_SECONDS
from services.placement.messages import PULSE_SECONDS
from services.placement.replicas import RESOLVE_SECONDS
from services.settings import Settings, unknown_variables
from tests.manifests import FOLDER, OVERLAYS, Resource, container, of_kind, overlay, render

VERSIONS = ("1.30", "1.37")
"""The oldest that the manifests are for (`preStop: sleep`), and the newest that there are schemas of."""

RUNNERS = {f"runner-{model.id}": model for model in default_models()}
IDLE_BYTES = {"whisper-tiny-en": 649_000_000, "efficientnet-lite0": 368_000_000}
"""What a runner's container was measured to take, and what that of the others does."""
WATCHERS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
SCATTERED = [name for name in OVERLAYS if name != "embedded"]


def pods(resources: tuple[Resource, ...]) -> dict[str, Any]:
    return {name: each["spec"]["template"] for name, each in of_kind(resources, "Deployment").items()}


def selected(labels: dict[str, dict[str, str]], selector: dict[str, Any]) -> set[str]:
    """The deployments whose pods, by their labels, a label selector selects."""
    expressions = [(each["key"], each["values"]) for each in selector.get("matchExpressions", ())]
    wanted = [*expressions, *((key, [value]) for key, value in selector.get("matchLabels", {}).items())]
    assert wanted
    return {name for name, has in labels.items() if all(has.get(key) in values for key, values in wanted)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_kubernetes_takes_them(name: str, version: str) -> None:
    for resource in overlay(name):
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_validator_refuses_what_kubernetes_would() -> None:
    deployment = json.loads(json.dumps(of_kind(overlay("cpu"), "Deployment")["gateway"]))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenes"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", SCATTERED)
def test_every_default_model_has_its_runner(name: str) -> None:
    resources = overlay(name)
    assert set(pods(resources)) == {"gateway", *RUNNERS}
    services = of_kind(resources, "Service")
    assert set(services) == {"gateway", *RUNNERS}
    for runner, model in RUNNERS.items():
        assert container(resources, runner).command[:4] == ("python", "-m", "services.runner", model.id)
        assert services[runner]["spec"]["clusterIP"] == "None"
    gateway = container(resources, "gateway").environment
    port = services[next(iter(RUNNERS))]["spec"]["ports"][0]["port"]
    assert gateway["EKIBEN_MODELS"].split(",") == [model.id for model in default_models()]
    assert json.loads(gateway["EKIBEN_RUNNER_URLS"]) == {
        model.id: f"http://{runner}:{port}" for runner, model in RUNNERS.items()
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_are_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for deployment in pods(overlay(name)):
        environment = container(overlay(name), deployment).environment
        assert not unknown_variables(environment)
        with monkeypatch.context() as variables:
            for variable, value in environment.items():
                variables.setenv(variable, value)
            settings = Settings()
        assert settings.device == ("cuda" if name == "gpu" and deployment != "gateway" else "cpu")


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_has_its_time_to_stop(name: str) -> None:
    for deployment, template in pods(overlay(name)).items():
        environment = container(overlay(name), deployment).environment
        [declared] = template["spec"]["containers"]
        notice = declared["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = float(environment["EKIBEN_DRAIN_SECONDS"]) + float(environment["EKIBEN_GRACE_SECONDS"])
        assert template["spec"]["terminationGracePeriodSeconds"] >= notice + needed + STAY_SECONDS + EXIT_SECONDS
        # By then gateways have looked the name up again, and gone elsewhere.
        assert notice + float(environment["EKIBEN_DRAIN_SECONDS"]) >= RESOLVE_SECONDS + 2 * PULSE_SECONDS


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_is_watched_and_can_do_little(name: str) -> None:
    for template in pods(overlay(name)).values():
        pod, [declared] = template["spec"], template["spec"]["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert declared["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["volumes"][0]["emptyDir"]["medium"] == "Memory"
        ports = {port["name"] for port in declared["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert declared[probe]["httpGet"]["path"] in ("/livez", "/readyz")
            assert declared[probe]["httpGet"]["port"] in ports
        assert declared["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert declared["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {"cpu", "memory"} <= set(declared["resources"]["limits"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_budgets_and_scalers_mean_their_own_pods(name: str) -> None:
    resources = overlay(name)
    templates = pods(resources)
    labels = {deployment: template["metadata"]["labels"] for deployment, template in templates.items()}
    for each, resource in of_kind(resources, "Service").items():
        assert selected(labels, {"matchLabels": resource["spec"]["selector"]}) == {each}
    for each, resource in of_kind(resources, "PodDisruptionBudget").items():
        assert selected(labels, resource["spec"]["selector"]) == {each}
    for each, resource in of_kind(resources, "HorizontalPodAutoscaler").items():
        assert resource["spec"]["scaleTargetRef"]["name"] == each
    assert set(of_kind(resources, "PodDisruptionBudget")) == set(templates)


@pytest.mark.parametrize("name", SCATTERED)
def test_only_gateways_reach_runners(name: str) -> None:
    resources = overlay(name)
    policies = of_kind(resources, "NetworkPolicy")
    labels = {deployment: template["metadata"]["labels"] for deployment, template in pods(resources).items()}
    runner, gateway = policies["runner"]["spec"], policies["gateway"]["spec"]
    assert selected(labels, runner["podSelector"]) == set(RUNNERS)
    [entrance] = runner["ingress"]  # not even Prometheus, which `components/queue-depth` lets in
    [source] = entrance["from"]
    assert selected(labels, source["podSelector"]) == {"gateway"}
    assert set(source) == {"podSelector"}  # of this namespace
    assert runner["policyTypes"] == ["Ingress", "Egress"] and "egress" not in runner
    assert selected(labels, gateway["podSelector"]) == {"gateway"}
    to_names, to_runners = gateway["egress"]
    assert selected(labels, to_runners["to"][0]["podSelector"]) == set(RUNNERS)
    # NodeLocal DNSCache is an address of the node's, and in no namespace.
    assert to_names["to"] == [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "169.254.20.10/32"}}]
    assert {port["port"] for port in to_names["ports"]} == {53}


@pytest.mark.parametrize("name", OVERLAYS)
def test_metrics_are_for_the_namespace_that_watches_and_not_for_the_public(name: str) -> None:
    resources = overlay(name)
    template = pods(resources)["gateway"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    environment = container(resources, "gateway").environment
    assert environment["EKIBEN_METRICS_PORT"] == str(ports["metrics"])
    assert environment["EKIBEN_METRICS_HOST"] == "0.0.0.0"
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(ports["metrics"]),
    }
    service = of_kind(resources, "Service")["gateway"]["spec"]
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    for_all, for_watchers = of_kind(resources, "NetworkPolicy")["gateway"]["spec"]["ingress"]
    assert for_all == {"ports": [{"port": "http"}]}
    assert for_watchers == {"from": [WATCHERS], "ports": [{"port": "metrics"}]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_spread_and_sick_ones_hold_up_nothing(name: str) -> None:
    resources = overlay(name)
    templates = pods(resources)
    labels = {deployment: template["metadata"]["labels"] for deployment, template in templates.items()}
    for deployment, template in templates.items():
        [spread] = template["spec"]["topologySpreadConstraints"]
        assert selected(labels, spread["labelSelector"]) == {deployment}
    for budget in of_kind(resources, "PodDisruptionBudget").values():
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("name", SCATTERED)
def test_a_runner_gets_the_memory_that_it_takes_when_nobody_asks(name: str) -> None:
    resources = overlay(name)
    for runner in RUNNERS:
        declared = pods(resources)[runner]["spec"]["containers"][0]["resources"]
        taken = IDLE_BYTES["whisper-tiny-en" if "whisper" in runner else "efficientnet-lite0"]
        assert 1.2 * taken < in_bytes(declared["requests"]["memory"]) <= in_bytes(declared["limits"]["memory"])


def test_a_runner_on_a_gpu_gets_half_of_its_bound_for_sure() -> None:
    for runner in RUNNERS:
        declared = pods(overlay("gpu"))[runner]["spec"]["containers"][0]["resources"]
        assert (declared["requests"]["memory"], declared["limits"]["memory"]) == ("3Gi", "6Gi")


def in_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1 << 20, "Gi": 1 << 30}[quantity[-2:]]


def test_queues_scale_runners_by_what_a_request_costs(tmp_path: Path) -> None:
    cpu, component = (os.path.relpath(FOLDER / each, tmp_path) for each in ("overlays/cpu", "components/queue-depth"))
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{cpu}]\ncomponents: [{component}]\n", "utf-8")
    resources = render(tmp_path)
    scalers = of_kind(resources, "HorizontalPodAutoscaler")
    assert set(scalers) == {"gateway", *RUNNERS}
    for runner, model in RUNNERS.items():
        kubernetes_validate.validate(scalers[runner], VERSIONS[-1], strict=True)
        [metric] = scalers[runner]["spec"]["metrics"]
        assert metric["pods"]["metric"]["name"] == "ekiben_queue_cost"
        assert metric["pods"]["target"]["averageValue"] == str(8 * model.item_cost)
        # Prometheus has to get at it.
        template = pods(resources)[runner]
        [port] = template["spec"]["containers"][0]["ports"]
        assert template["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(port["containerPort"]),
        }
    policy = of_kind(resources, "NetworkPolicy")["runner"]
    kubernetes_validate.validate(policy, VERSIONS[-1], strict=True)
    assert policy["spec"]["ingress"][1] == {"from": [WATCHERS], "ports": [{"port": "runner"}]}
