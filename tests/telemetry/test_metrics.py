"""Metrics: what each counts, that none grows without bound, and how Prometheus gets them."""

import asyncio
import gc
import signal
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import create_app
from gateway.metrics.exposition import metrics_app
from gateway.metrics.families import of_drift
from gateway.sandbox import Fault, Sandbox
from gateway.serving import listen, serving, url_of
from gateway.tallies import BOUNDS, LONGEST_NAME, OTHER, CallTally, OperationTallies, RouteTally
from gateway.telemetry import Drift
from gateway.upstream.budget import SAVED
from gateway.upstream.health import Health, Healths
from tests.http.exchanges import ask, connect
from tests.processes import running
from tests.replicas import until
from tests.telemetry.reading import counted, metrics_of
from tests.world import World, settings_for, settle, world

JSON = "application/json"
FOLLOW = "subscription Follow($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
SCAN = "query Scan($scanId: ID!) { scan(scanId: $scanId) { status } }"


def ready(gateway: World) -> str:
    return gateway.sandbox.prism.scan_ids("READY")[0]


async def test_operations_are_counted_by_name_kind_and_outcome(gateway: World) -> None:
    await gateway.execute(SCAN, scanId=ready(gateway))
    await gateway.execute("{ __typename }")
    await gateway.execute("query Lost { scan(scanId: 7) { nothing } }")
    await gateway.execute("query Scan($scanId: ID!) { scan(scanId: $scanId) { status } }", scanId=["no", "id"])
    gateway.sandbox.faults.add(Fault(status=503))
    await gateway.execute('query Half { scan(scanId: "a") { status } }')
    await gateway.execute('mutation Lock { unlockAsset(input: { assetId: "a" }) { userErrors { code } } }')
    assert counted(gateway.app, "operations_total") == {
        ("query", "Scan", "ok"): 1,
        ("query", "Scan", "refused"): 1,
        ("query", "<anonymous>", "ok"): 1,
        ("", "<invalid>", "refused"): 1,
        ("query", "Half", "partial"): 1,
        ("mutation", "Lock", "partial"): 1,
    }
    assert counted(gateway.app, "operation_seconds_count")["query", "Scan"] == 2


async def test_an_answer_that_was_kept_is_an_operation_too_and_what_made_each_is_told(gateway: World) -> None:
    for _ in range(3):
        await gateway.execute(SCAN, scanId=ready(gateway))
    await gateway.execute("{ __schema { queryType { name } } }")
    await gateway.execute('mutation { unlockAsset(input: { assetId: "a" }) { userErrors { code } } }')
    assert counted(gateway.app, "operations_total") == {
        ("query", "Scan", "ok"): 3,
        ("query", "<anonymous>", "ok"): 1,
        ("mutation", "<anonymous>", "ok"): 1,
    }
    assert counted(gateway.app, "executions_total") == {("plan",): 2, ("kept",): 2, ("graphql-core",): 1}


async def test_names_of_operations_are_told_apart_up_to_a_number() -> None:
    async with world({"gateway_metrics_operations": 2}) as gateway:
        for name in ("A", "B", "C", "D", "A"):
            await gateway.execute(f"query {name} {{ __typename }}")
        await gateway.execute("{ __typename }")
        assert counted(gateway.app, "operations_total") == {
            ("query", "A", "ok"): 2,
            ("query", "B", "ok"): 1,
            ("query", "<other>", "ok"): 2,
            ("query", "<anonymous>", "ok"): 1,
        }


async def test_a_name_that_is_longer_than_any_that_is_meant_is_not_told(gateway: World) -> None:
    longest = "A" * LONGEST_NAME
    for name in (longest, longest + "A", "B" * 30_000):
        await gateway.execute(f"query {name} {{ __typename }}")
    assert counted(gateway.app, "operations_total") == {("query", longest, "ok"): 1, ("query", "<other>", "ok"): 2}


async def test_an_operation_that_was_let_go_is_still_counted() -> None:
    async with world({"gateway_operations": 1}) as gateway:
        for name in ("A", "B", "A"):
            await gateway.execute(f"query {name} {{ __typename }}")
        assert counted(gateway.app, "operations_total") == {("query", "A", "ok"): 2, ("query", "B", "ok"): 1}


def test_no_client_can_make_up_more_names_than_that() -> None:
    tallies = OperationTallies(100)
    for number in range(10_000):
        tallies.of(f"Q{number}", "query").end(0, 0.0)  # type: ignore[arg-type]  # an Outcome is an int
    assert len(tallies.all()) == 1 + 100 + 1
    assert sum(tally.outcomes[0] for tally in tallies.all()) == 10_000


async def test_http_requests_are_counted_by_status_and_while_they_last(gateway: World) -> None:
    await gateway.execute("{ __typename }")
    await gateway.client.post("/graphql", content=b"{", headers={"content-type": JSON})
    await gateway.client.put("/graphql")
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=0.05))
    slow = asyncio.create_task(gateway.execute(SCAN, scanId=ready(gateway)))
    await settle()
    assert counted(gateway.app, "http_requests_in_flight") == {(): 1}
    await slow
    assert counted(gateway.app, "http_requests_in_flight") == {}
    assert counted(gateway.app, "http_requests_total") == {("200",): 2, ("400",): 1, ("405",): 1}


async def test_a_client_that_leaves_is_counted_as_such(gateway: World) -> None:
    exchange = ask(gateway.app, "{ __typename }", JSON)
    exchange.inbox = asyncio.Queue()
    exchange.inbox.put_nowait({"type": "http.disconnect"})
    await exchange.task
    assert counted(gateway.app, "http_requests_total") == {("499",): 1}


async def test_upstream_calls_are_counted_by_route_and_outcome_and_never_by_id(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=503))
    await gateway.execute(
        "query ($id: ID!) { scan(scanId: $id) { status assetUrls { model } } assets(first: 1) { nodes { url } } }",
        id=ready(gateway),
    )
    await gateway.execute(SCAN, scanId="none")
    assert counted(gateway.app, "upstream_calls_total") == {
        ("prism", "GET", "200", "/scans/{scanId}"): 1,
        ("prism", "GET", "200", "/scans/{scanId}/asset-urls"): 1,
        ("prism", "GET", "404", "/scans/{scanId}"): 1,
        ("scenario", "GET", "503", "/assets"): 4,
    }
    assert counted(gateway.app, "upstream_call_seconds_count")["prism", "GET", "/scans/{scanId}"] == 2


@pytest.mark.parametrize(
    ("failure", "word", "tries"),
    [
        (httpx.ReadTimeout("late"), "timeout", 4),
        (httpx.ConnectError("no"), "unreachable", 4),
        (httpx.RemoteProtocolError("what"), "unreadable", 4),
        (httpx.ReadError("cut"), "broken off", 4),
        (httpx.InvalidURL("long"), "not sent", 1),
        (RuntimeError("a bug"), "not sent", 1),
    ],
)
async def test_a_call_without_an_answer_is_counted_by_what_failed(failure: Exception, word: str, tries: int) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    transport = httpx.MockTransport(fail)
    app = create_app(settings_for(Sandbox()), transports={"prism": transport, "scenario": transport})
    async with app.router.lifespan_context(app):
        await ask(app, '{ scan(scanId: "a") { status } }', JSON).task
        assert counted(app, "upstream_calls_total") == {("prism", "GET", word, "/scans/{scanId}"): tries}


async def test_a_call_that_nobody_waits_for_any_more_is_given_up(gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=60))
    asked = asyncio.create_task(gateway.execute(SCAN, scanId="a"))
    await settle()
    assert counted(gateway.app, "upstream_calls_in_flight") == {("prism",): 1}
    assert counted(gateway.app, "flights") == {(): 1}
    asked.cancel()
    await asyncio.wait([asked])
    await settle()
    assert counted(gateway.app, "upstream_calls_total") == {("prism", "GET", "given up", "/scans/{scanId}"): 1}
    assert counted(gateway.app, "upstream_calls_in_flight") == counted(gateway.app, "flights") == {}


async def test_what_the_cache_has_is_told_by_kind(gateway: World) -> None:
    asset = f'query Asset {{ asset(assetId: "{gateway.asset_ids[0]}") {{ kind }} }}'
    await gateway.execute(asset)
    await gateway.execute(asset)
    await gateway.execute(asset.replace("Asset", "Other", 1))
    gateway.clock.advance(61)
    await gateway.execute(asset)
    await settle()
    assert counted(gateway.app, "cache_lookups_total") == {
        ("asset", "miss", "memory"): 1,
        ("answer", "hit", "memory"): 1,
        ("asset", "hit", "memory"): 1,
        ("asset", "stale", "memory"): 1,
    }
    assert counted(gateway.app, "cache_entries")[()] >= 1
    assert metrics_of(gateway.app)["cache_bytes"] == {(): gateway.gateway.store.memory.used_bytes}


async def test_of_what_was_only_missed_it_is_told_that_it_was_never_found(gateway: World) -> None:
    await gateway.execute(f'{{ asset(assetId: "{gateway.asset_ids[0]}") {{ kind }} }}')
    assert metrics_of(gateway.app)["cache_lookups_total"] == {
        ("asset", "hit", "memory"): 0,
        ("asset", "stale", "memory"): 0,
        ("asset", "miss", "memory"): 1,
        ("answer", "hit", "memory"): 0,
        ("request", "hit", "memory"): 0,
    }


async def test_subscriptions_and_websockets_are_told_while_they_last() -> None:
    async with world({"gateway_watch_jitter": 0}) as gateway:
        socket = await connect(gateway.app)
        payload = {"query": FOLLOW, "variables": {"scanId": list(gateway.sandbox.prism.scans)[2]}}
        await socket.say({"id": "1", "type": "subscribe", "payload": payload})
        names = ("subscriptions", "watched_documents", "websocket_connections", "websocket_operations")
        assert [counted(gateway.app, name) for name in names] == [{(): 1}] * 4
        await socket.leave()
        assert [counted(gateway.app, name) for name in names] == [{}] * 4
        assert counted(gateway.app, "operations_total") == {("subscription", "Follow", "ok"): 1}


def test_values_that_the_graph_does_not_know_are_counted_together_at_each_place() -> None:
    drift = Drift()
    for place, value in (("Asset.kind", "one"), ("Asset.kind", "one"), ("Asset.kind", "other"), ("Scan.status", "one")):
        drift.note(place, value)
    (family,) = of_drift(drift)
    assert {sample.labels["place"]: sample.value for sample in family.samples} == {"Asset.kind": 3, "Scan.status": 1}


async def test_tasks_that_have_not_ended_are_told(gateway: World) -> None:
    before = counted(gateway.app, "tasks")[()]
    sleeping = asyncio.create_task(asyncio.sleep(60))
    assert counted(gateway.app, "tasks") == {(): before + 1}
    sleeping.cancel()
    await asyncio.wait([sleeping])
    assert counted(gateway.app, "tasks") == {(): before}


async def test_how_an_upstream_does_is_told() -> None:
    async with world({"gateway_breaker_calls": 4, "gateway_breaker_share": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
        for scan_id in ("a", "b"):
            await gateway.execute(SCAN, scanId=scan_id)
        assert counted(gateway.app, "upstream_breaker") == {("prism", "open"): 1, ("scenario", "closed"): 1}
        assert counted(gateway.app, "upstream_retries_total") == {("prism",): 3}
        assert 7 <= counted(gateway.app, "upstream_retry_budget")["prism",] < SAVED  # one is earned every half second
        assert counted(gateway.app, "upstream_opened_total") == {("prism",): 1}
        assert counted(gateway.app, "upstream_refused_total") == {("prism",): 1}


def test_how_an_api_does_is_told_over_all_credentials_and_what_was_counted_under_one_that_is_gone_stays() -> None:
    class Owner:
        pass

    healths, owners = Healths(), [Owner(), Owner()]
    healths.follow(owners[0], Health(retries=3, waiting=1, limit=4, breaker="half-open"))
    healths.follow(owners[1], Health(retries=2, waiting=5, limit=4, breaker="open"))
    assert healths.joined(now=0) == Health(retries=5, waiting=6, limit=8, breaker="open")
    owners.pop()
    gc.collect()
    assert healths.joined(now=0) == Health(retries=5, waiting=1, limit=4, breaker="half-open")


async def test_what_is_refused_for_overload_or_by_a_rate_limit_is_counted_by_status_and_by_why() -> None:
    async with world({"gateway_rate_requests": 1, "gateway_max_requests": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", delay=0.05))
        slow = asyncio.create_task(gateway.execute(SCAN, scanId=ready(gateway)))
        await settle()
        assert counted(gateway.app, "load_under_way") == {(): 1}
        await gateway.execute("{ __typename }")
        await slow
        await gateway.execute("{ __typename }")
        assert counted(gateway.app, "http_requests_total") == {("200",): 1, ("429",): 1, ("503",): 1}
        assert counted(gateway.app, "overload_refusals_total") == {(): 1}
        assert counted(gateway.app, "rate_refusals_total") == {("requests",): 1}
        assert counted(gateway.app, "rate_accounts") == {(): 1}
        assert counted(gateway.app, "load_under_way") == {}


async def test_what_is_refused_without_asgi_is_counted_alike() -> None:
    headers = {"accept": JSON, "content-type": JSON, "connection": "keep-alive"}
    async with world({"gateway_rate_requests": 2, "gateway_max_requests": 1}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", delay=0.2, times=1))
        body = {"query": SCAN, "variables": {"scanId": ready(gateway)}}
        with listen("127.0.0.1", 0, "nothing") as listener:
            async with (
                serving((gateway.app, listener)),
                httpx.AsyncClient(base_url=url_of(listener), trust_env=False, headers=headers) as client,
            ):
                slow = asyncio.create_task(client.post("/graphql", json=body))
                await until(lambda: gateway.app.load.under_way == 1)
                answers = [
                    await client.post("/graphql", json=body),
                    await slow,
                    await client.post("/graphql", json=body),
                ]
    assert [answer.status_code for answer in answers] == [503, 200, 429]
    assert counted(gateway.app, "http_requests_total") == {("200",): 1, ("429",): 1, ("503",): 1}
    assert counted(gateway.app, "overload_refusals_total") == {(): 1}
    assert counted(gateway.app, "rate_refusals_total") == {("requests",): 1}


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=x", "text/plain;version=1.0.x", ";;=,"])
async def test_an_accept_header_that_says_nothing_is_answered_in_the_plain_format(accept: str) -> None:
    transport = httpx.ASGITransport(metrics_app(CollectorRegistry()))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        answer = await client.get("/metrics", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_a_histogram_counts_what_takes_exactly_a_bound_within_it() -> None:
    histogram = RouteTally("GET", "/scans")
    for seconds in (BOUNDS[0], BOUNDS[0] / 2, BOUNDS[1], 60.0):
        histogram.end("200", seconds)
    assert histogram.counts == [2, 1, *[0] * (len(BOUNDS) - 2), 1]
    assert histogram.seconds == pytest.approx(sum((BOUNDS[0], BOUNDS[0] / 2, BOUNDS[1], 60.0)))


def test_no_id_makes_a_route_of_its_own() -> None:
    tally = CallTally(("/scans/{scanId}", "/scans/{scanId}/scan-assets"))
    routes = {tally.of("GET", f"/scans/{id_}?x=1").route for id_ in range(1_000)}
    assert routes == {"/scans/{scanId}"}
    assert {tally.of("GET", f"/{one}/a/b/{one}").route for one in range(1_000)} == {OTHER}
    assert len(tally.all()) == 2


async def test_the_public_port_has_no_metrics(gateway: World) -> None:
    assert (await gateway.client.get("/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
async def test_prometheus_is_answered_in_the_format_that_it_takes(gateway: World, accept: str, type_: str) -> None:
    await gateway.execute("{ __typename }")
    transport = httpx.ASGITransport(metrics_app(gateway.app.state.metrics))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics.test") as client:
        answer = await client.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(type_)
    text = answer.text.removesuffix("# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {"process_resident_memory_bytes", "scan_gateway_operations", "scan_gateway_operation_seconds"} <= set(
        families
    )


def test_a_served_gateway_has_metrics_on_a_port_of_their_own_and_its_connections_among_them(tmp_path: Path) -> None:
    settings = {
        "PRISM_URL": "http://127.0.0.1:1/prism",
        "PRISM_API_KEY": Sandbox.prism_api_key,
        "SCENARIO_PUBLIC": "true",
        "GATEWAY_PORT": "0",
        "GATEWAY_METRICS_PORT": "0",
    }
    with running("serve", folder=tmp_path, settings=settings) as served:
        url = served.wait_for(r"listening on (\S+?)/graphql")
        metrics = served.wait_for(r"metrics at (\S+?)/metrics")
        httpx.post(f"{url}/graphql", json={"query": '{ scan(scanId: "a") { status } }'}, trust_env=False)
        text = httpx.get(f"{metrics}/metrics", trust_env=False).text
        elsewhere = [
            httpx.get(f"{url}/metrics", trust_env=False).status_code,
            httpx.get(f"{metrics}/graphql", trust_env=False).status_code,
        ]
        code, printed = served.stop(signal.SIGTERM)
    assert 'upstream_calls_total{api="prism",method="GET",outcome="unreachable",route="/scans/{scanId}"} 4.0\n' in text
    assert 'scan_gateway_upstream_queue{api="prism"} 0.0\n' in text
    assert (elsewhere, code) == ([404, 404], 0), printed


async def test_what_is_answered_without_asgi_is_counted_alike(gateway: World) -> None:
    headers = {"accept": JSON, "content-type": JSON, "connection": "keep-alive"}
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=0.05, times=1))
    with listen("127.0.0.1", 0, "nothing") as listener:
        async with (
            serving((gateway.app, listener)),
            httpx.AsyncClient(base_url=url_of(listener), trust_env=False, headers=headers) as client,
        ):
            for query in (SCAN, SCAN, "{ nothing }", "{"):
                await client.post("/graphql", json={"query": query, "variables": {"scanId": ready(gateway)}})
            await client.post("/graphql", content=b"{")
    assert gateway.app.direct is not None
    assert counted(gateway.app, "http_requests_total") == {("200",): 4, ("400",): 1}
    assert counted(gateway.app, "http_requests_in_flight") == {}
    assert counted(gateway.app, "operations_total") == {("query", "Scan", "ok"): 2, ("", "<invalid>", "refused"): 2}
    assert counted(gateway.app, "executions_total") == {("plan",): 1, ("kept",): 1}
    assert counted(gateway.app, "operation_seconds_count")["query", "Scan"] == 2
