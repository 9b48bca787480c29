"""The gateway and both upstreams, simulated, in one process: what `gateway demo` and `gateway sandbox` run."""

import asyncio
import contextlib
import itertools
import socket
from typing import Any

import click
import httpx
import msgspec
from uvicorn.loops.auto import auto_loop_factory

from gateway.app import create_app
from gateway.http import graphiql
from gateway.sandbox import Sandbox
from gateway.serving import caught_signals, listen, serve_until_stopped, serving, url_of
from gateway.settings import Settings

HOST = "127.0.0.1"
JOB_SECONDS = 30.0  # time enough to follow a download job by hand

QUERY = """\
query Join($scanId: ID!) {
  scan(scanId: $scanId) {
    assets { isReady captureData { status updatedAt } body { status } fittedBody { status } measurement { status } }
    assetUrls { previewImage model texture expiresAt }
  }
  assets(first: 250) {
    nodes { assetId kind mimeType url urlExpiresAt }
    pageInfo { hasNextPage endCursor }
  }
}"""


def run_sandbox(port: int, seed: int) -> None:
    """Serve the sandbox alone until interrupted."""
    with listen(HOST, port, "--port") as listener:
        url = url_of(listener)
        sandbox = Sandbox(seed=seed, url=url)
        click.echo(f"Prism     {url}/prism         PRISM_API_KEY={sandbox.prism_api_key}")
        click.echo(
            f"Scenario  {url}/scenario/v1   SCENARIO_API_KEY={sandbox.scenario_api_key}"
            f" SCENARIO_API_SECRET={sandbox.scenario_api_secret}"
        )
        serve_until_stopped(sandbox.app, listener)


def run_demo(port: int, sandbox_port: int, *, once: bool) -> None:
    """Serve both until interrupted, or until the query is answered."""
    with (
        listen(HOST, port, "--port") as listener,
        listen(HOST, sandbox_port, "--sandbox-port") as sandbox_listener,
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=auto_loop_factory()) as runner,  # the loop that `gateway serve` has
    ):
        runner.run(_demo(listener, sandbox_listener, once=once))


async def _demo(listener: socket.socket, sandbox_listener: socket.socket, *, once: bool) -> None:
    sandbox = Sandbox(url=url_of(sandbox_listener), job_seconds=JOB_SECONDS)
    app = create_app(demo_settings(sandbox), examples=demo_examples(sandbox))
    async with serving((sandbox.app, sandbox_listener), (app, listener)):
        click.echo(await _show(url_of(listener), sandbox.url, textured_scan(sandbox)))
        if not once:
            with caught_signals() as caught:
                click.echo("Ctrl+C stops both.")
                await caught.wait()


def demo_settings(sandbox: Sandbox) -> Settings:
    """Settings that point at a sandbox, whatever the environment says."""
    return Settings.model_validate(
        {
            "prism_url": f"{sandbox.url}/prism",
            "prism_api_key": sandbox.prism_api_key,
            "scenario_url": f"{sandbox.url}/scenario/v1",
            "scenario_api_key": sandbox.scenario_api_key,
            "scenario_api_secret": sandbox.scenario_api_secret,
            "gateway_report_calls": True,
        }
    )


def demo_examples(sandbox: Sandbox) -> graphiql.Examples:
    """Ids of a sandbox that make the page's examples answer."""
    assets = sandbox.scenario.assets.values()
    own = (each["id"] for each in assets if each["ownerId"] == sandbox.project_id and "deletedAt" not in each)
    return graphiql.Examples(textured_scan(sandbox), sandbox.live_scans[0], tuple(itertools.islice(own, 3)))


def textured_scan(sandbox: Sandbox) -> str:
    """Find a scan that is ready and has every file."""
    return next(id_ for id_ in sandbox.prism.scan_ids("READY") if sandbox.prism.scans[id_].textured)


async def _show(url: str, sandbox_url: str, scan_id: str) -> str:
    """Ask the query as a client would, and tell what came back and what it took."""
    variables = {"scanId": scan_id}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
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
