"""Clients of several tenants who come at a rate, ask for something new each time, follow, change things, and leave."""

import asyncio
import hashlib
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

JOIN = """query Join{n}($scanId: ID!, $assetId: ID!) {{
  scan(scanId: $scanId) {{ assets {{ n{n}: isReady body {{ status }} }} }}
  asset(assetId: $assetId) {{ assetId kind url }}
}}"""
PAGE = "query Page($first: Int!) { assets(first: $first) { nodes { assetId kind url } pageInfo { endCursor } } }"
ABSENT = "query Absent($id: ID!) { scan(scanId: $id) { status } downloadJob(jobId: $id) { status } }"
PERSISTED = "query Persisted{n}($id: ID!) {{ asset(assetId: $id) {{ n{n}: assetId mimeType }} }}"
PARTS = """query Parts{n}($id: ID!) {{
  scan(scanId: $id) {{ n{n}: status ... @defer {{ assetUrls {{ model expiresAt }} }} }}
}}"""
LOCK = """mutation ($id: ID!) {
  lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { lockId userErrors { code } }
  unlockAsset(input: { assetId: $id, forceUnlock: true }) { userErrors { code } }
}"""
FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status updatedAt } }"
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 503, "probability": 0.3},
    {"cut": True, "probability": 0.1},
    {"delay": 0.3, "probability": 0.2},
    {"malformed": True, "probability": 0.1},
    {"status": 503, "upstream": "prism"},
)
BUGS = ("INTERNAL_SERVER_ERROR", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_REQUEST")
IN_PARTS = "multipart/mixed;deferSpec=20220824"
LONGEST_LOOK = 1.0  # seconds that who follows a scan stays


class BadAnswerError(Exception):
    """A status, and what the answer began with."""


Visit = Callable[[int, Mapping[str, str]], Awaitable[None]]


@dataclass(slots=True)
class Crowd:
    """What they do and did: `visits` by what they were, and `wrong` what must not be.

    `keys` are those that nobody is about to revoke.
    """

    url: str
    scan_ids: list[str]
    asset_ids: list[str]
    keys: list[str]
    visits: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _client: aiohttp.ClientSession = field(init=False)

    async def come(self, rate: float, seconds: float) -> None:
        """Come at a rate for some seconds, and wait until all have gone."""
        begun = time.monotonic()
        # Each comes over a connection of its own now and then, since those that rest are soon closed.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1)
        async with aiohttp.ClientSession(connector=connector) as self._client, asyncio.TaskGroup() as group:
            for coming in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, begun + coming / rate - time.monotonic()))
                group.create_task(self._visit(next(self._numbers)))

    async def _visit(self, number: int) -> None:
        """Do one of ten things, the usual ones most often."""
        usual: list[Visit] = [self._join, self._join, self._again, self._persist]
        others: list[Visit] = [
            self._page,
            self._miss,
            self._in_parts,
            self._leave,
            self._listen,
            self._talk,
            self._lock,
        ]
        visit = others[number // 2 % len(others)] if number % 2 else usual[number // 2 % len(usual)]
        key, name = random.choice(self.keys), visit.__name__.strip("_")
        self.visits[name] += 1
        try:
            await visit(number, {"authorization": f"Bearer {key}"})
        except (aiohttp.ClientError, BadAnswerError) as error:
            if key in self.keys:
                self.wrong.append(f"{name}: {error!r}")
            else:
                self.visits["revoked"] += 1

    async def _join(self, number: int, who: Mapping[str, str]) -> None:
        variables = {"scanId": self._scan(number), "assetId": self._asset(number)}
        await self._ask(who, query=JOIN.format(n=number), variables=variables)

    async def _again(self, number: int, who: Mapping[str, str]) -> None:
        variables = {"scanId": self._scan(number), "assetId": self._asset(number)}
        await self._ask(who, query=JOIN.format(n="Again"), variables=variables)

    async def _page(self, number: int, who: Mapping[str, str]) -> None:
        await self._ask(who, query=PAGE, variables={"first": 1 + 7 * number % 250})

    async def _miss(self, number: int, who: Mapping[str, str]) -> None:
        await self._ask(who, query=ABSENT, variables={"id": f"absent-{number}"})

    async def _persist(self, number: int, who: Mapping[str, str]) -> None:
        """Name a document by its hash, which is unknown, send it with it, and name it again."""
        query = PERSISTED.format(n=number)
        known = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}
        variables = {"id": self._asset(number)}
        for document in ({}, {"query": query}, {}):
            await self._ask(who, **document, variables=variables, extensions=known)

    async def _in_parts(self, number: int, who: Mapping[str, str]) -> None:
        headers, body = {**who, "accept": IN_PARTS}, {"query": PARTS.format(n=number)}
        async with self._client.post(
            self.url, json={**body, "variables": {"id": self._scan(number)}}, headers=headers
        ) as answer:
            self._judge(answer.status, await answer.text())

    async def _lock(self, number: int, who: Mapping[str, str]) -> None:
        await self._ask(who, query=LOCK, variables={"id": self._asset(number)})

    async def _leave(self, number: int, who: Mapping[str, str]) -> None:
        """Ask for what is nowhere at hand, and hang up at some moment."""
        address = urlsplit(self.url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        body = json.dumps({"query": ABSENT, "variables": {"id": f"left-{number}"}})
        head = f"POST {address.path} HTTP/1.1\r\nhost: {address.netloc}\r\nauthorization: {who['authorization']}\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        await asyncio.sleep(random.uniform(0, 0.01))
        writer.transport.abort()

    async def _listen(self, number: int, who: Mapping[str, str]) -> None:
        """Follow a scan over server-sent events for a while; who follows one that does not move is told the end."""
        body = {"query": FOLLOW, "variables": {"id": self._scan(number)}}
        headers = {**who, "accept": "text/event-stream"}
        async with self._client.post(self.url, json=body, headers=headers) as answer:
            self._judge(answer.status, (await answer.content.readany()).decode())
            await self._look(answer.content.read())

    async def _talk(self, number: int, who: Mapping[str, str]) -> None:
        """The same over WebSocket; every other hangs up without a word."""
        async with self._client.ws_connect(
            self.url, protocols=["graphql-transport-ws"], headers=who, max_msg_size=0
        ) as socket:
            await socket.send_json({"type": "connection_init"})
            await socket.receive()
            payload = {"query": FOLLOW, "variables": {"id": self._scan(number)}}
            await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
            told = await socket.receive()
            self._judge(200, str(told.data))
            await self._look(self._hear_out(socket))
            if number % 4 == 1 and not socket.closed:
                await socket.send_json({"id": "1", "type": "complete"})

    @staticmethod
    async def _hear_out(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            pass

    @staticmethod
    async def _look(news: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(random.uniform(0, LONGEST_LOOK)):
                await news
        except TimeoutError:
            return

    async def _ask(self, who: Mapping[str, str], **body: object) -> None:
        async with self._client.post(self.url, json=body, headers=who) as answer:
            self._judge(answer.status, await answer.text())

    @staticmethod
    def _judge(status: int, text: str) -> None:
        """Raise what no upstream's failure excuses."""
        if status != 200 or any(code in text for code in BUGS):
            raise BadAnswerError(f"{status}: {text[:500]}")

    def _scan(self, number: int) -> str:
        return self.scan_ids[number % len(self.scan_ids)]

    def _asset(self, number: int) -> str:
        return self.asset_ids[number % len(self.asset_ids)]
