"""The file of tenants in processes of their own: read again by SIGHUP, and by each worker that begins."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gateway.auth.api_keys import keep_key, new_key
from gateway.sandbox import Sandbox
from tests.processes import run, running, settings_of

ANSWER = {"data": {"__typename": "Query"}}
TABLE = '[{}]\nprism_api_key = "{}"\nscenario_jwt = {{ file = "token" }}\n'
SIGNALLED_WHILE_IT_IS_IMPORTED = """
import os, signal, sys

class Signal:
    def find_spec(self, name, path, target=None):
        if name == "gateway.cli":
            os.kill(os.getpid(), signal.{})

sys.meta_path.insert(0, Signal())
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")


def test_a_hangup_signal_brings_other_tenants_without_dropping_a_connection(tmp_path: Path) -> None:
    keys = {}
    for tenant in ("acme", "bolt"):
        keys[tenant], stored = new_key("a test's", ("*",), tenant, None, None)
        keep_key(tmp_path / "keys.jsonl", stored)
    (tmp_path / "token").write_text(Sandbox.scenario_jwt)
    (tmp_path / "tenants.toml").write_text(TABLE.format("acme", "${ACME_KEY}"))
    settings = {
        "GATEWAY_PORT": "0",
        "GATEWAY_AUTH": "api-key",
        "GATEWAY_API_KEYS": "keys.jsonl",
        "GATEWAY_TENANTS_FILE": "tenants.toml",
        "ACME_KEY": "from-outside",
    }
    with running("serve", folder=tmp_path, settings=settings) as process:
        url = process.wait_for(r"listening on (\S+)/graphql")
        socket_url = f"{url}/graphql".replace("http", "ws", 1)
        bearing = {tenant: {"authorization": f"Bearer {key}"} for tenant, key in keys.items()}
        spoken = [Subprotocol("graphql-transport-ws")]
        with (
            httpx.Client(base_url=url, trust_env=False) as client,
            connect(socket_url, subprotocols=spoken, additional_headers=bearing["acme"], proxy=None) as socket,
        ):

            def status(tenant: str) -> int:
                return client.post("/graphql", json={"query": "{ __typename }"}, headers=bearing[tenant]).status_code

            socket.send('{"type": "connection_init"}')
            assert json.loads(socket.recv()) == {"type": "connection_ack"}
            assert (status("acme"), status("bolt")) == (200, 403)

            (tmp_path / "tenants.toml").write_text(TABLE.format("acme", "${ACME_KEY}") + TABLE.format("bolt", "key"))
            process.process.send_signal(signal.SIGHUP)
            process.wait_for(r"tenants read again: (2) are served")
            assert (status("acme"), status("bolt")) == (200, 200)

            (tmp_path / "tenants.toml").write_text("[bolt")
            process.process.send_signal(signal.SIGHUP)
            process.wait_for("(tenants stay as they were)")
            assert (status("acme"), status("bolt")) == (200, 200)

            socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}))
            assert json.loads(socket.recv())["payload"] == ANSWER
        assert process.stop(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(("workers", "told"), [("1", "(told by SIGHUP to read again)"), ("2", "(accepting requests)")])
def test_a_hangup_signal_before_it_serves_does_not_end_it(workers: str, told: str, tmp_path: Path) -> None:
    settings = signalled(tmp_path, "SIGHUP")
    with running("serve", "--workers", workers, folder=tmp_path, settings=settings) as process:
        process.wait_for(told)
        assert process.stop(signal.SIGTERM)[0] == 0


def test_what_ends_a_gateway_ends_it_with_0_before_it_serves_too(tmp_path: Path) -> None:
    ended = run("serve", folder=tmp_path, settings=signalled(tmp_path, "SIGTERM"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def signalled(folder: Path, name: str) -> dict[str, str]:
    """Settings by which a process is sent a signal while it is imported."""
    (folder / "sitecustomize.py").write_text(SIGNALLED_WHILE_IT_IS_IMPORTED.format(name))
    settings = settings_of("http://127.0.0.1:1", "http://127.0.0.1:1", GATEWAY_DRAIN_GRACE="0")
    return {**settings, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_a_worker_that_begins_while_the_file_cannot_be_used_says_why_until_it_can(tmp_path: Path) -> None:
    file, whole = tmp_path / "tenants.toml", '[default]\nprism_api_key = "a-key"\nscenario_public = true\n'
    file.write_text(whole)
    settings = {"GATEWAY_PORT": "0", "GATEWAY_DRAIN_GRACE": "0", "GATEWAY_TENANTS_FILE": "tenants.toml"}
    with running("serve", "--workers", "2", folder=tmp_path, settings=settings) as process:
        workers = [int(process.wait_for(r'"accepting requests".*"pid":(\d+)')) for _ in range(2)]
        file.write_text("[default")
        os.kill(workers[0], signal.SIGKILL)
        process.wait_for(r'("event":"this worker cannot serve: GATEWAY_TENANTS_FILE is no TOML: )')
        file.write_text(whole)
        process.wait_for("(accepting requests)")
        code, printed = process.stop(signal.SIGTERM)
    assert (code, "Traceback" in printed) == (0, False)
