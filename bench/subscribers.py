"""What idle WebSocket subscribers hold in memory: `python bench/subscribers.py`, or with their number as argument.

A gateway in a process of its own is subscribed to a scan that never changes, thirty times over; after each round all
subscribers leave. Figures are resident memory of that process above its own before the first round.
"""

import asyncio
import json
import multiprocessing
import socket
import sys
from pathlib import Path

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from gateway.app import create_app
from gateway.demo import demo_settings
from gateway.sandbox import Sandbox
from gateway.serving import listen, serve_until_stopped, url_of

ROUNDS = 30
WARM = 15  # by then memory is as fragmented as it gets
TOGETHER = 50
NOON = 1_790_000_000.0
QUERY = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status assets { isFinal body { status } } } }"


def _serve(listener: socket.socket, sandbox: Sandbox) -> None:
    transport = httpx.ASGITransport(app=sandbox.app)
    app = create_app(demo_settings(sandbox), transports={"prism": transport, "scenario": transport})
    serve_until_stopped(app, listener)


async def _subscribe(url: str, scan_id: str) -> ClientConnection:
    subprotocols = ["graphql-transport-ws"]
    one = await connect(url, subprotocols=subprotocols, compression=None, ping_interval=None, proxy=None)  # type: ignore[arg-type]
    await one.send('{"type":"connection_init"}')
    await one.recv()
    payload = {"query": QUERY, "variables": {"scanId": scan_id}}
    await one.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    answer = json.loads(await one.recv())
    if answer["type"] != "next":
        sys.exit(f"refused: {answer}")
    return one


async def _round(url: str, scan_id: str, count: int, pid: int) -> tuple[float, float]:
    """Open so many, and give the megabytes that the server then has, and has when they are gone."""
    subscribers: list[ClientConnection] = []
    while len(subscribers) < count:
        together = min(TOGETHER, count - len(subscribers))
        subscribers += await asyncio.gather(*[_subscribe(url, scan_id) for _ in range(together)])
    await asyncio.sleep(1)
    held = _resident(pid)
    await asyncio.gather(*[one.close() for one in subscribers])
    await asyncio.sleep(1)
    return held, _resident(pid)


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def _measure(url: str, scan_id: str, count: int, pid: int) -> None:
    await _round(url, scan_id, 20, pid)
    before = _resident(pid)
    print(f"at rest {before:.1f} MB")
    holds = []
    for number in range(1, ROUNDS + 1):
        held, left = await _round(url, scan_id, count, pid)
        holds.append(held)
        each = (held - before) * 1_000 / count
        print(
            f"round {number}: {each:5.1f} MB per 1,000; {left - before:5.1f} MB above rest when all are gone",
            flush=True,
        )
    grown = holds[-1] - holds[WARM]
    is_level = grown < 0.02 * (holds[WARM] - before)
    print("level" if is_level else f"NOT LEVEL: {grown:.1f} MB more in the last round than after {WARM} rounds")


def main() -> None:
    """Measure with 1,000 subscribers, or as many as the first argument says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    sandbox = Sandbox(clock=lambda: NOON, url="http://sandbox.test")
    scan_id = list(sandbox.prism.scans)[20]
    with listen("127.0.0.1", 0, "nothing") as listener:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, sandbox), daemon=True)
        server.start()
        url = f"{url_of(listener)}/graphql".replace("http", "ws", 1)
        uvloop.run(_measure(url, scan_id, count, server.pid or 0))
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
