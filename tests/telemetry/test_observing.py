"""Requests looked at one by one: `Server-Timing`, and a log of operations over WebSocket; nothing unasked."""

import io
import json
import os
import re

from gateway.logs import configure_logging
from tests.http.exchanges import connect
from tests.world import World, world

READ = "query Read($scanId: ID!) { scan(scanId: $scanId) { status assetUrls { model } } }"
TIMING = r"total;dur=\d+\.\d{3}"


async def timing_of(gateway: World, query: str) -> str | None:
    variables = {"scanId": gateway.sandbox.prism.scan_ids("READY")[0]}
    answer = await gateway.client.post("/graphql", json={"query": query, "variables": variables})
    timing: str | None = answer.headers.get("server-timing")
    return timing


async def test_an_answer_tells_how_long_it_took_and_its_own_upstream_calls() -> None:
    async with world({"gateway_server_timing": True}) as gateway:
        first, kept, refused = [await timing_of(gateway, query) for query in (READ, READ, "{")]
    assert re.fullmatch(TIMING + r', prism;dur=\d+\.\d{3};desc="2 calls"', first or "")
    assert re.fullmatch(TIMING, kept or "")
    assert re.fullmatch(TIMING, refused or "")


async def test_no_answer_tells_that_unasked(gateway: World) -> None:
    assert await timing_of(gateway, READ) is None


async def test_what_is_looked_at_goes_by_asgi_and_all_else_straight() -> None:
    for name in ("gateway_server_timing", "gateway_log_requests"):
        async with world({name: True}) as looked_at:
            assert looked_at.app.direct is None
    async with world() as plain:
        assert plain.app.direct is not None


async def test_each_operation_over_a_websocket_is_logged_too() -> None:
    async with world({"gateway_log_requests": True}) as gateway:
        stream = io.StringIO()
        configure_logging("info", stream=stream)
        socket = await connect(gateway.app)
        await socket.say({"id": "1", "type": "subscribe", "payload": {"query": "query Name { __typename }"}})
        await socket.leave()
    (line,) = (json.loads(line) for line in stream.getvalue().splitlines())
    assert len(line.pop("request_id")) == 16
    assert line.pop("ms") >= 0
    assert line.pop("timestamp")
    assert line.pop("pid") == os.getpid()
    said = {"event": "request", "level": "info", "logger": "gateway.requests", "protocol": "websocket"}
    assert line == {**said, "operation": "Name", "kind": "query", "outcome": "ok"}
