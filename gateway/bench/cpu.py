"""CPU a query with the upstream in process: nothing but the gateway's own work, from ASGI message to ASGI message."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message

from gateway.app import create_app
from gateway.bench.queries import Query
from gateway.bench.upstream import Recorded, record
from gateway.sandbox import Sandbox
from gateway.settings import Settings, read_settings

URL = "http://sandbox.test"
NEVER_FRESH = {
    name: 0
    for name in Settings.model_fields
    if name.startswith(("gateway_fresh", "gateway_stale")) and name != "gateway_fresh_urls_margin"
} | {"gateway_fresh_urls_margin": 10**9, "gateway_cache_bytes": 0}
STOCK = {"gateway_plans": False, "gateway_operations": 0}
MODES: dict[str, dict[str, object]] = {
    "stock, cold": {**STOCK, **NEVER_FRESH},
    "plans, cold": {**NEVER_FRESH},
    "stock, warm": {**STOCK},
    "plans, warm": {},
    "answers": {"gateway_answers": True},
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one query costs in one mode: microseconds of CPU, upstream calls, and the answer."""

    microseconds: float
    calls: float
    answer: bytes


def bench_settings(sandbox: Sandbox, url: str, **given: object) -> Settings:
    """Settings that point at an upstream, with the guards and extensions that `gateway demo` runs with."""
    return read_settings(
        env_file=None,
        **{
            "prism_url": f"{url}/prism",
            "prism_api_key": sandbox.prism_api_key,
            "scenario_url": f"{url}/scenario/v1",
            "scenario_api_key": sandbox.scenario_api_key,
            "scenario_api_secret": sandbox.scenario_api_secret,
            "gateway_log_level": "error",
            **given,
        },
    )


async def cost(sandbox: Sandbox, mode: str, query: Query, seconds: float) -> Cost:
    """Ask a query again and again for some seconds of CPU."""
    settings = bench_settings(sandbox, URL, **MODES[mode])
    upstreams = record(sandbox, settings)
    app = create_app(settings, transports=upstreams)
    answer = b""
    for _ in range(5):
        answer = await ask(app, query.body)
    before, count, began = _calls(upstreams), 0, time.process_time()
    while (spent := time.process_time() - began) < seconds or count < 5:  # noqa: PLR2004 - a mean needs some
        await ask(app, query.body)
        count += 1
    await app.state.gateway.close()
    return Cost(spent / count * 1e6, (_calls(upstreams) - before) / count, answer)


def _calls(upstreams: Mapping[str, Recorded]) -> int:
    return sum(upstream.calls for upstream in upstreams.values())


async def ask(app: ASGIApp, body: bytes) -> bytes:
    """Post a body to an application and give the body of its answer."""
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app({**SCOPE, "state": {}}, receive, send)
    return b"".join(parts)


SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/graphql",
    "raw_path": b"/graphql",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"gateway.test"), (b"content-type", b"application/json")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}
