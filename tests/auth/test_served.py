"""`gateway serve` with API keys, as a process: signals, sockets and logs."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gateway.sandbox import Sandbox
from tests.auth.keys import bearing, content_of, made_in, rewrite
from tests.processes import SECONDS, Process, run, running

LISTENING = r"listening on (\S+)/graphql"
NAME = {"query": "{ __typename }"}
SPOKEN = [Subprotocol("graphql-transport-ws")]
SETTINGS = {
    "PRISM_API_KEY": Sandbox.prism_api_key,
    "SCENARIO_JWT": Sandbox.scenario_jwt,
    "GATEWAY_PORT": "0",
    "GATEWAY_AUTH": "api-key",
    "GATEWAY_API_KEYS": "keys.jsonl",
    "GATEWAY_LOG_LEVEL": "debug",
    "GATEWAY_ANSWERS": "true",
}


@pytest.fixture
def served(path: Path, key: str) -> Iterator[Process]:
    """A gateway that knows the key and logs all it can."""
    assert key
    with running("serve", folder=path.parent, settings=SETTINGS) as process:
        yield process


def status_of(url: str, key: str) -> int:
    return httpx.post(f"{url}/graphql", json=NAME, headers=bearing(key), trust_env=False).status_code


def test_a_hangup_lets_it_read_its_keys_again_and_drops_no_connection(served: Process, path: Path, key: str) -> None:
    url = served.wait_for(LISTENING)
    with connect(f"{url.replace('http', 'ws')}/graphql", subprotocols=SPOKEN, proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"headers": {"Authorization": f"Bearer {key}"}}}))
        assert json.loads(socket.recv()) == {"type": "connection_ack"}
        added = made_in(path)
        served.process.send_signal(signal.SIGHUP)
        until(lambda: status_of(url, added) == 200)
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": NAME}))
        assert json.loads(socket.recv())["payload"] == {"data": {"__typename": "Query"}}
        assert json.loads(socket.recv())["type"] == "complete"
        assert status_of(url, key) == 200
        rewrite(path, content_of(path).splitlines()[0])
        served.process.send_signal(signal.SIGHUP)
        until(lambda: status_of(url, key) == 401)
        socket.send(json.dumps({"id": "2", "type": "subscribe", "payload": NAME}))
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert socket.close_code == 4403
    code, printed = served.stop(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in printed


def test_a_handshake_may_bring_the_key_and_not_even_a_debug_log_shows_it(served: Process, key: str) -> None:
    url = served.wait_for(LISTENING)
    place = f"{url.replace('http', 'ws')}/graphql"
    with connect(place, subprotocols=SPOKEN, additional_headers=bearing(key), proxy=None) as socket:
        socket.send('{"type": "connection_init"}')
        assert json.loads(socket.recv()) == {"type": "connection_ack"}
    with connect(place, subprotocols=SPOKEN, additional_headers=bearing(f"{key}x"), proxy=None) as socket:
        socket.send('{"type": "connection_init"}')
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert socket.close_code == 4403
    assert (status_of(url, key), status_of(url, f"{key}x"), status_of(url, "x" * 50_000)) == (200, 401, 401)
    code, printed = served.stop(signal.SIGTERM)
    assert code == 0
    assert '"level":"debug"' in printed
    assert key[:20] not in printed
    assert key.split("_", 2)[2] not in printed


def test_it_does_not_start_beyond_loopback_where_everyone_would_be_let_in(tmp_path: Path) -> None:
    given = {"PRISM_API_KEY": "real", "SCENARIO_JWT": "real", "GATEWAY_HOST": "0.0.0.0"}  # noqa: S104 - what is refused
    refused = run("serve", folder=tmp_path, settings=given)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "GATEWAY_AUTH=open would let everyone who reaches 0.0.0.0 use the gateway's credentials: set GATEWAY_AUTH to"
        " api-key or jwt, or GATEWAY_HOST to 127.0.0.1.\n"
    )


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
