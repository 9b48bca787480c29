"""What deploy/ shows and alerts on is what the gateway tells; `make lint-deploy` checks the files' own forms."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.metrics.crew import Crew
from gateway.sandbox import Fault
from gateway.settings import Settings
from gateway.telemetry import drift
from tests.processes import environment, running, settings_at
from tests.telemetry.reading import told_by
from tests.world import world

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/scan-gateway.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_PROMETHEUS = {"up", "job", "instance", "alertname", "alertstate", "le"}  # its own, which no target tells
NOWHERE = "redis://127.0.0.1:1"  # which is enough to tell of it
METRIC = re.compile(r"\b(?:scan_gateway|process)_\w+")
LABELS = re.compile(r"\{([^{}]*)\}|\b(?:by|on|group_left) \(([^()]*)\)")

Told = tuple[set[str], set[str]]


def expressions() -> list[str]:
    """Every expression of the dashboard and of the alerts."""
    shown = [target["expr"] for panel in PANELS for target in panel["targets"]]
    asked = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    alerts = (DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8")
    rules = re.findall(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)", alerts)
    return [*shown, *asked, *("".join(rule) for rule in rules)]


@pytest.fixture
async def told(tmp_path: Path) -> Told:
    """The names of all that a gateway tells once everything has happened, and of all labels."""
    drift.note("Asset.kind", "hologram")
    async with world({"gateway_redis_url": NOWHERE}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", status=503, times=1))
        await gateway.execute('{ scan(scanId: "a") { status } }')
        registry = gateway.app.state.metrics
        async with Crew(tmp_path, 0).telling(registry):
            gathered = await Crew(tmp_path, 0).gather()
        samples = [sample for metric in gathered.collect() for sample in metric.samples]
    assert set(told_by(registry)) < {sample.name for sample in samples}
    return {sample.name for sample in samples}, {label for sample in samples for label in sample.labels}


def labels_in(expression: str) -> set[str]:
    found = [selected or grouped for selected, grouped in LABELS.findall(expression)]
    return {re.split(r"[=!~]", part)[0].strip() for text in found for part in text.split(",") if part.strip()}


async def test_every_metric_and_label_that_the_dashboard_and_the_alerts_name_is_told(told: Told) -> None:
    names, labels = told
    named = {name for expression in expressions() for name in METRIC.findall(expression)}
    used = {label for expression in expressions() for label in labels_in(expression)}
    pools = {"scan_gateway_upstream_connections", "scan_gateway_upstream_queue"}  # of real sockets; see test_metrics.py
    assert named - names - pools == set()
    assert used - labels - OF_PROMETHEUS - {"state"} == set()
    assert len(expressions()) > 50


async def test_every_metric_of_the_gateways_own_is_shown_or_alerted_on(told: Told) -> None:
    named = {name for expression in expressions() for name in METRIC.findall(expression)}
    own = {re.sub(r"_(count|sum)$", "_bucket", name) for name in told[0] if name.startswith("scan_gateway_")}
    own -= {"scan_gateway_upstream_given_up_total", "scan_gateway_upstream_slots", "scan_gateway_upstream_opened_total"}
    assert own - named == set()


def test_the_dashboards_panels_are_told_apart_and_overlap_nowhere() -> None:
    ids = Counter(panel["id"] for panel in DASHBOARD["panels"])
    assert max(ids.values()) == 1
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = Counter(
        (place["x"] + across, place["y"] + down)
        for place in places
        for across in range(place["w"])
        for down in range(place["h"])
    )
    assert max(cells.values()) == 1
    assert max(across for across, _ in cells) < 24
    assert all(panel["title"] and panel["description"].endswith(".") for panel in PANELS)


def test_every_alert_says_what_to_do_and_is_tested() -> None:
    alerts = (DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8")
    tests = (DEPLOY / "prometheus/alerts.test.yaml").read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", alerts)
    for word in (r"severity: (?:page|ticket)\b", r"summary: .+", r"action: .+"):
        assert len(re.findall(word, alerts)) == len(names)
    assert [name for name in names if f"name: {name} fires" not in tests] == []
    silent = re.findall(r"alertname: (\w+)\n        eval_time: \d+m\n        exp_alerts: \[\]", tests)
    assert sorted(silent) == sorted(names)


def test_every_alert_tells_the_job_by_which_the_dashboard_shows_it() -> None:
    alerts = (DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8")
    groups = re.findall(r"\bby \(([^()]*)\)", alerts)
    assert [labels for labels in groups if "job" not in labels.split(", ")] == []


@pytest.mark.parametrize(
    "proxy", [{}, {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}], ids=["none", "of all else"]
)
def test_the_image_asks_itself_whether_it_is_healthy_and_no_proxy(proxy: dict[str, str], tmp_path: Path) -> None:
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert found is not None
    python, *arguments = json.loads(found[1])
    assert python == "python"

    def is_healthy(port: str) -> bool:
        command = [sys.executable, *arguments]
        its = {**environment({}), "GATEWAY_PORT": port, **proxy}
        return subprocess.run(command, env=its, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own

    with running("serve", folder=tmp_path, settings=settings_at("http://127.0.0.1:1")) as served:
        port = served.wait_for(r"listening on http://127\.0\.0\.1:(\d+)/graphql")
        served.wait_for(r"(accepting requests)")
        assert is_healthy(port)
    assert not is_healthy(port)


def test_one_env_file_names_the_callers_keys_where_compose_and_kubernetes_have_them() -> None:
    """Kubernetes takes its secret from the .env of compose, and no gateway starts without a file that it names."""
    kubernetes = DEPLOY / "kubernetes"
    compose, said, pod = (
        path.read_text(encoding="utf-8")
        for path in (DEPLOY / "compose.yaml", kubernetes / "kustomization.yaml", kubernetes / "gateway.yaml")
    )
    assert "- ../keys:/keys:ro\n" in compose
    assert "mountPath: /keys\n" in pod
    named = [re.findall(r"GATEWAY_API_KEYS=(\S+\.jsonl)", text) for text in (compose, said)]
    assert named == [["/keys/keys.jsonl"], ["/keys/keys.jsonl"]]
    assert re.findall(r"create secret generic (\S+) --from-file=keys\n", said) == re.findall(r"secretName: (\S+)", pod)


def test_what_is_deployed_sets_nothing_that_is_no_setting() -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in (DEPLOY, DEPLOY / "kubernetes") for path in path.glob("*.yaml")
    ]
    given = {name for text in texts for name in re.findall(r"^ +((?:GATEWAY|PRISM|SCENARIO)_\w+):", text, re.MULTILINE)}
    assert {"GATEWAY_HOST", "GATEWAY_METRICS_PORT"} <= given
    assert given - {name.upper() for name in Settings.model_fields} == set()
