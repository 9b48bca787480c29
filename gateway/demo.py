"""The gateway and both upstreams, simulated, in one process: what `gateway demo` and `gateway sandbox` run."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import click
import httpx
import msgspec
import uvicorn
from starlette.types import ASGIApp

from gateway.app import Examples, create_app
from gateway.http import graphiql
from gateway.sandbox import Sandbox
from gateway.settings import Settings, read_settings

HOST = "127.0.0.1"

QUERY = """\
query Join($scanId: ID!) {
  scan(scanId: $scanId) {
    assets {
      isReady
      captureData { status updatedAt }
      body { status updatedAt }
      fittedBody { status updatedAt }
      measurement { status updatedAt }
    }
    assetUrls { previewImage model texture expiresAt }
  }
  assets(first: 250) {
    nodes { assetId kind mimeType url urlExpiresAt }
    pageInfo { hasNextPage endCursor }
  }
}"""


class _Server(uvicorn.Server):
    """A server that says when it is up, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_sandbox(port: int, seed: int) -> int:
    """Serve the sandbox alone until interrupted; the exit code says whether it could."""
    url = f"http://{HOST}:{port}"
    if not _is_free(port):
        return _taken(port, "--port")
    sandbox = Sandbox(seed=seed, url=url)
    click.echo(f"Prism     {url}/prism         PRISM_API_KEY={sandbox.prism_api_key}")
    click.echo(
        f"Scenario  {url}/scenario/v1   SCENARIO_API_KEY={sandbox.scenario_api_key}"
        f" SCENARIO_API_SECRET={sandbox.scenario_api_secret}"
    )
    uvicorn.run(sandbox.app, host=HOST, port=port, log_level="warning")
    return 0


def run_demo(port: int, sandbox_port: int, *, once: bool) -> int:
    """Serve both until interrupted, or until the query is answered; the exit code says whether they could."""
    for wanted, option in ((port, "--port"), (sandbox_port, "--sandbox-port")):
        if not _is_free(wanted):
            return _taken(wanted, option)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_demo(port, sandbox_port, once=once))
    return 0


async def _demo(port: int, sandbox_port: int, *, once: bool) -> None:
    url, sandbox_url = f"http://{HOST}:{port}", f"http://{HOST}:{sandbox_port}"
    sandbox = Sandbox(seed=1, url=sandbox_url)
    scan_id, asset_id = textured_scan(sandbox), next(iter(sandbox.scenario.assets))
    app = create_app(demo_settings(sandbox, sandbox_url, port), examples=Examples(scan_id, asset_id))
    servers = [_server(sandbox.app, sandbox_port), _server(app, port)]
    serving = [asyncio.create_task(server.serve()) for server in servers]
    try:
        await asyncio.gather(*(server.up.wait() for server in servers))
        click.echo(await _show(url, sandbox_url, scan_id))
        if not once:
            await asyncio.gather(*serving)
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving, return_exceptions=True)


def demo_settings(sandbox: Sandbox, sandbox_url: str, port: int) -> Settings:
    """Settings that point at a sandbox, whatever the environment says."""
    return read_settings(
        env_file=None,
        prism_url=f"{sandbox_url}/prism",
        prism_api_key=sandbox.prism_api_key,
        scenario_url=f"{sandbox_url}/scenario/v1",
        scenario_api_key=sandbox.scenario_api_key,
        scenario_api_secret=sandbox.scenario_api_secret,
        gateway_host=HOST,
        gateway_port=port,
        gateway_report_calls=True,
    )


def textured_scan(sandbox: Sandbox) -> str:
    """Find a scan that is ready and has every file."""
    return next(id_ for id_ in sandbox.prism.scan_ids("READY") if sandbox.prism.scans[id_].textured)


async def _show(url: str, sandbox_url: str, scan_id: str) -> str:
    """Ask the query as a client would, and tell what came back and what it took."""
    variables = {"scanId": scan_id}
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(f"{url}/graphql", json={"query": QUERY, "variables": variables})
    answer = response.json()
    calls = answer["extensions"]["upstreamCalls"]
    page = "GraphiQL" if graphiql.is_built() else "a plain console; `make graphiql` builds GraphiQL, which needs Node"
    return "\n".join(
        [
            f"Open     {url}/graphql   ({page})",
            f"Sandbox  {sandbox_url}   (Prism under /prism, Scenario under /scenario/v1)",
            "",
            "Paste this query:",
            "",
            QUERY,
            "",
            f"with these variables:  {msgspec.json.encode(variables).decode()}",
            "",
            "It answers:",
            "",
            msgspec.json.format(msgspec.json.encode(_shortened(answer)), indent=2).decode(),
            "",
            f"Upstream calls: {calls['prism']} to Prism + {calls['scenario']} to Scenario, for one request.",
            "Ctrl+C stops both.",
        ]
    )


def _shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """Cut an answer to what fits a terminal: long texts, and all but the first of many assets."""
    data = answer["data"]
    nodes = data["assets"]["nodes"]
    assets = {**data["assets"], "nodes": [nodes[0], f"… {len(nodes) - 1} more"]}
    short: dict[str, Any] = _cut({**data, "assets": assets})
    return {"data": short}


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return f"{value[:60]}…" if isinstance(value, str) and len(value) > 61 else value  # noqa: PLR2004 - 60 and the dots


def _server(app: ASGIApp, port: int) -> _Server:
    return _Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning", access_log=False))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _taken(port: int, option: str) -> int:
    click.echo(f"Port {port} is taken; choose another with {option}.", err=True)
    return 1
