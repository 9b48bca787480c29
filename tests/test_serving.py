"""`gateway serve` and `gateway sandbox` as processes with real sockets between them."""

import json
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gateway.http import graphiql
from gateway.sandbox import Sandbox
from gateway.serving import listen, url_of
from tests.processes import Process, running, settings_at

QUERY = "{ assets(first: 101) { nodes { assetId } pageInfo { hasNextPage } } }"
FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
DATA = 'data: {"data":{"scanUpdated":{"status":"PROCESSING"}}}'
STILL = list(Sandbox().prism.scans)[2]  # under way since yesterday
SPOKEN = [Subprotocol("graphql-transport-ws")]
LISTENING = r"listening on (\S+?)/graphql"


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a sandbox is served by `gateway sandbox`."""
    with running("sandbox", "--port", "0", folder=tmp_path_factory.mktemp("sandbox")) as process:
        yield process.wait_for(r"Prism +(\S+)/prism ")
        assert process.stop(signal.SIGTERM)[0] == 0


@pytest.fixture
def settings(sandbox_url: str) -> dict[str, str]:
    """What `gateway serve` needs to use that sandbox, on any free port."""
    return settings_at(sandbox_url, GATEWAY_DRAIN_GRACE="0")


@pytest.fixture
def served(settings: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    """A running `gateway serve` that logs all it can."""
    with running("serve", folder=tmp_path, settings={**settings, "GATEWAY_LOG_LEVEL": "debug"}) as process:
        yield process


def test_a_served_gateway_is_healthy_and_answers_over_http(served: Process) -> None:
    url = served.wait_for(LISTENING)
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        answer = client.post("/graphql", json={"query": QUERY})
    assert "server" not in answer.headers
    assert len(answer.json()["data"]["assets"]["nodes"]) == 101
    assert answer.json()["data"]["assets"]["pageInfo"] == {"hasNextPage": True}


def test_it_says_how_to_build_graphiql_where_it_is_not_built(served: Process) -> None:
    served.wait_for(LISTENING)
    hints = [json.loads(line)["event"] for line in served.lines if "GraphiQL" in line]
    missing = "GraphiQL is not built, so browsers get a plain console; `make graphiql` builds it (needs Node)"
    assert hints == ([] if graphiql.is_built() else [missing])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells another process's limits")
@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_as_many_may_connect_as_the_system_lets_a_process_have_descriptors(
    arguments: tuple[str, ...], settings: dict[str, str], tmp_path: Path
) -> None:
    few = ("sh", "-c", 'ulimit -Sn 300; exec "$@"', "sh")
    with running("serve", *arguments, folder=tmp_path, settings=settings, through=few) as process:
        process.wait_for("(accepting requests)")
        soft, hard = resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard > 300


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(number: signal.Signals, served: Process) -> None:
    url = served.wait_for(LISTENING)
    httpx.get(f"{url}/healthz", trust_env=False)
    code, printed = served.stop(number)
    assert code == 0
    assert "Traceback" not in printed


def test_not_even_a_debug_log_shows_a_secret_or_a_signature(served: Process) -> None:
    url = served.wait_for(LISTENING)
    query = '{ assets(first: 2) { nodes { url } } scan(scanId: "none") { status } }'
    answer = httpx.post(f"{url}/graphql", json={"query": query}, trust_env=False).json()
    assert "Signature=" in answer["data"]["assets"]["nodes"][0]["url"]
    code, printed = served.stop(signal.SIGTERM)
    assert code == 0
    assert '"level":"debug"' in printed
    for secret in (Sandbox.prism_api_key, Sandbox.scenario_api_secret, "Signature", "Policy=", "Basic "):
        assert secret not in printed


def test_clients_that_break_off_or_send_no_http_leave_no_traceback(served: Process) -> None:
    url = httpx.URL(served.wait_for(LISTENING))
    assert url.port is not None
    start = b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
    for sent in (start, b"\x16\x03\x01", b""):
        with socket.create_connection((url.host, url.port)) as connection:
            connection.sendall(sent)
    assert httpx.get(url.join("/healthz"), trust_env=False).status_code == 200
    code, printed = served.stop(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in printed


def test_a_request_under_way_is_answered_before_the_process_ends(served: Process, sandbox_url: str) -> None:
    url = served.wait_for(LISTENING)
    with httpx.Client(base_url=f"{sandbox_url}/sandbox", trust_env=False) as control:
        control.delete("/calls")
        control.post("/faults", json={"upstream": "scenario", "delay": 0.5, "times": 1}).raise_for_status()
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(httpx.post, f"{url}/graphql", json={"query": QUERY}, trust_env=False)
            assert any(control.get("/calls").json()["scenario"] for _ in range(1_000))
            code, _ = served.stop(signal.SIGTERM)
            answer = asked.result()
    assert (code, answer.status_code) == (0, 200)
    assert len(answer.json()["data"]["assets"]["nodes"]) == 101


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_streams_cleanly_and_then_the_process(number: signal.Signals, served: Process) -> None:
    url = served.wait_for(LISTENING)
    payload = {"query": FOLLOW, "variables": {"scanId": STILL}}
    with connect(f"{url}/graphql?token=s3cret".replace("http", "ws", 1), subprotocols=SPOKEN, proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"token": "s3cret"}}))
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        assert [json.loads(socket.recv())["type"] for _ in range(2)] == ["connection_ack", "next"]
        headers = {"accept": "text/event-stream"}
        with httpx.stream("POST", f"{url}/graphql", json=payload, headers=headers, trust_env=False) as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line.startswith("data")) == DATA
            code, printed = served.stop(number)
            assert list(lines) == [""]
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert (socket.close_code, socket.close_reason) == (1012, "The gateway ends; connect again.")
    assert code == 0
    assert "Traceback" not in printed
    assert "s3cret" not in printed


def test_a_url_is_written_for_both_families() -> None:
    with listen("127.0.0.1", 0, "nothing") as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen("::1", 0, "nothing") as listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
