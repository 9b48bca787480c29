"""Upstream answers with every defect: what a transport gives instead of a network."""

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

WRONG: list[Callable[[Random], Any]] = [
    lambda _: None,
    lambda random: random.choice([7, -1, 2**31, 2**40, 2**70, 0]),
    lambda random: random.choice([1.5, 5.0, 1e300]),
    lambda random: random.choice(
        ["", "text", "2024-02-30T00:00:00Z", "2024-01-01", "https://x.test/a?Expires=1700000000"]
    ),
    lambda random: random.random() < 0.5,
    lambda _: [],
    lambda _: {},
    lambda _: [None],
    lambda _: ["a", 3, None, {}],
    lambda _: {"a": 1},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


def damaged(body: bytes, random: Random) -> bytes:
    """A body with some defects: keys missing, nulls, other types, unknown values, keys that nobody knows."""
    value = json.loads(body)
    for _ in range(random.choice([0, 0, 1, 1, 2, 4])):
        everywhere = places(value)
        if not everywhere:
            break
        *above, last = random.choice(everywhere)
        holder = value
        for key in above:
            holder = holder[key]
        chance = random.random()
        if chance < 0.25 and isinstance(holder, dict):
            del holder[last]
        elif chance < 0.35 and isinstance(holder, dict):
            holder["brandNew"] = 1
        elif chance < 0.5 and isinstance(holder[last], str):
            holder[last] = f"{holder[last]}-unknown"
        else:
            holder[last] = random.choice(WRONG)(random)
    return json.dumps(value).encode()


APART = 20  # turns of the loop; a plan and graphql-core differ by a few in when they ask


def sort_of(request: httpx.Request) -> int:
    """What a request is for: a page of assets, what is searched for, or anything else.

    An asset that a page holds is asked for or not, as the page is there by then: which is first is not to be chance.
    """
    if request.method == "GET" and request.url.path.endswith("/assets"):
        return 0
    return 1 if "/search/" in request.url.path else 2


def in_order(request: httpx.Request) -> httpx.Request:
    """The same request, with the ids that it names in order."""
    named = json.loads(request.content) if request.content else {}
    if "assetIds" not in named:
        return request
    content = json.dumps({**named, "assetIds": sorted(named["assetIds"])}).encode()
    headers = {**request.headers, "content-length": str(len(content))}
    return httpx.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)


class Damaging(httpx.AsyncBaseTransport):
    """Answers as `inner` does, with defects that depend on the request and the seed alone.

    In which order a request names what it asks for makes no difference; which sort of request is answered first is the
    seed's choice.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.seed = 0
        self.calls: list[tuple[str, str, bytes]] = []
        self._known: dict[tuple[str, str, bytes], tuple[int, bytes]] = {}

    async def handle_async_request(self, given: httpx.Request) -> httpx.Response:
        request = in_order(given)
        call = (request.method, str(request.url), request.content)
        self.calls.append(call)
        turns = Random(f"{self.seed}").sample((0, APART, 2 * APART), 3)[sort_of(request)]
        for _ in range(turns):
            await asyncio.sleep(0)
        if call not in self._known:
            answer = await self.inner.handle_async_request(request)
            self._known[call] = (answer.status_code, await answer.aread())
        status, body = self._known[call]
        random = Random(f"{self.seed} {call}")
        chance = random.random()
        if chance < 0.04:
            return httpx.Response(random.choice([400, 401, 403, 404, 429, 500, 503]), content=b'{"message": "no"}')
        if chance < 0.05:
            return httpx.Response(200, content=body[: len(body) // 2])
        if chance < 0.06:
            raise httpx.ConnectError("refused")
        return httpx.Response(status, content=damaged(body, random) if status == 200 else body)
