"""Tenants never meet: whatever callers of two ask at once, no answer holds a byte of the other's.

`TENANT_TRIALS=10000 pytest tests/tenants/test_apart.py` for the long form.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.auth.api_keys import keep_key, new_key
from gateway.environment import read_settings
from gateway.http.application import App
from gateway.sandbox import Sandbox
from gateway.schema import schema
from gateway.serving import listen, serving, url_of
from tests.engine.operations import Maker, variable_values
from tests.tenants.twin import Twin, canaries_of
from tests.world import NOON, URL, Clock

pytestmark = pytest.mark.uncovered

TRIALS = int(os.environ.get("TENANT_TRIALS", "600"))
AT_ONCE, TOGETHER = 20, 100
OPERATIONS = 150
GRAPHQL = schema._schema  # noqa: SLF001 - graphql-core's own
TENANTS = ("acme", "bolt")
CANARIES = {tenant: canaries_of(tenant, number) for number, tenant in enumerate(TENANTS, 1)}
OTHER = {"acme": "bolt", "bolt": "acme"}
LISTS = "{ assets(first: 5) { nodes { id url updatedAt authorId } } }"
FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status updatedAt assets { body { updatedAt } } } }"
CHANGE = """mutation ($id: ID!) {
  lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { asset { url updatedAt } }
  unlockAsset(input: { assetId: $id, forceUnlock: true }) { asset { url updatedAt } }
  requestAssetDownload(input: { assetId: $id }) { download { url } }
}"""


@dataclass(frozen=True)
class Client:
    """One of a tenant's callers, by the headers that they send."""

    tenant: str
    headers: dict[str, str]


def by_keys(folder: Path) -> tuple[dict[str, Any], list[Client]]:
    """Two tenants of a file, each with two callers who bear API keys."""
    (folder / "tenants.toml").write_text(
        "\n".join(f'[{name}]\nprism_api_key = "{name}-key"\nscenario_jwt = "{name}-token"' for name in TENANTS)
    )
    clients = []
    for tenant in (*TENANTS, *TENANTS):
        key, stored = new_key("a test's", ("*",), tenant, None, None)
        keep_key(folder / "keys.jsonl", stored)
        clients.append(Client(tenant, {"authorization": f"Bearer {key}"}))
    settings = {"gateway_auth": "api-key", "gateway_api_keys": folder / "keys.jsonl"}
    return {**settings, "gateway_tenants_file": folder / "tenants.toml"}, clients


def by_credentials(_folder: Path) -> tuple[dict[str, Any], list[Client]]:
    """Two times two callers who bring their own credentials."""
    clients = [
        Client(
            tenant,
            {
                "x-prism-authorization": f"Bearer {tenant}-key-{number}",
                "x-scenario-authorization": f"Bearer {tenant}-token-{number}",
            },
        )
        for tenant in TENANTS
        for number in (1, 2)
    ]
    return {"gateway_auth": "pass-through", "gateway_own_credentials": 3}, clients


@dataclass
class Trials:
    """Requests to one gateway, and what their answers held."""

    clients: list[Client]
    sandbox: Sandbox
    url: str
    random: Random = field(default_factory=lambda: Random(7))
    found: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        scans = [*self.sandbox.prism.scan_ids("READY")[:3], "missing"]
        assets = [*list(self.sandbox.scenario.assets)[:6], "asset_missing"]
        self.ids = {"scanId": scans, "scanIds": scans, "assetId": assets, "assetIds": assets, "jobId": ["job_1"]}
        self.moving = list(self.sandbox.prism.scans)[20]
        made = [Maker(GRAPHQL, self.random, self.ids).operation() for _ in range(OPERATIONS)]
        every = [id_ for some in self.ids.values() for id_ in some]
        self.bodies = [{"query": one.text, "variables": variable_values(one, self.random, every)} for one in made]

    async def some(self, count: int) -> None:
        """Ask so many things, 20 at once, over connections that never rest: the server would let go of such."""

        async def several() -> None:
            for number in range(count // AT_ONCE):
                await self.one(number)

        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=60) as self.http:
            await asyncio.gather(*(several() for _ in range(AT_ONCE)))

    async def one(self, number: int) -> None:
        """Ask something as somebody, and look for what is the other tenant's."""
        client, chance = self.random.choice(self.clients), self.random.random()
        body, accept = self.random.choice(self.bodies), "application/json"
        if chance < 0.2:
            body = {"query": LISTS}
        elif chance < 0.23:
            body = {"query": CHANGE, "variables": {"id": self.ids["assetId"][number % 6]}}
        elif chance < 0.28:
            body, accept = {"query": FOLLOW, "variables": {"id": self.moving}}, "text/event-stream"
        text = await self.ask(client, body, accept)
        foreign = [canary for canary in CANARIES[OTHER[client.tenant]] if canary in text]
        assert not foreign, (client.tenant, body)
        self.found[client.tenant] += any(canary in text for canary in CANARIES[client.tenant])

    async def ask(self, client: Client, body: dict[str, Any], accept: str) -> bytes:
        """Give the bytes of an answer, or of a stream's first event."""
        headers = {**client.headers, "accept": accept}
        async with self.http.stream("POST", "/graphql", json=body, headers=headers) as answer:
            text = b""
            async for part in answer.aiter_raw():
                text += part
                if b"event: next" in text and text.endswith(b"\n\n"):
                    break
            return text + str(answer.headers).encode()


@asynccontextmanager
async def served(settings: dict[str, Any], clients: list[Client]) -> AsyncIterator[tuple[App, Clock, Trials]]:
    """A gateway over sockets, with every cache on."""
    clock = Clock(NOON)
    sandbox = Sandbox(clock=clock, url=URL)
    twin = Twin(sandbox, TENANTS, 0.003)
    app = create_app(
        read_settings(
            None,
            prism_url=f"{URL}/prism",
            scenario_url=f"{URL}/scenario/v1",
            gateway_answers=True,
            gateway_compress_from=0,
            gateway_rate_requests=0,  # the more are answered the more is looked at
            gateway_rate_upstream_calls=0,
            gateway_rate_objects=0,
            **settings,
        ),
        transports={"prism": twin, "scenario": twin},
        clock=clock,
    )
    with listen("127.0.0.1", 0, "nothing") as listener:
        async with serving((app, listener)):
            yield app, clock, Trials(clients, sandbox, url_of(listener))


@pytest.mark.parametrize("kind", [by_keys, by_credentials])
async def test_no_answer_holds_a_byte_of_another_tenants(kind: Any, tmp_path: Path) -> None:
    settings, clients = kind(tmp_path)
    async with served(settings, clients) as (app, clock, trials):
        for _ in range(TRIALS // TOGETHER):
            await trials.some(TOGETHER)
            clock.advance(trials.random.choice([0, 0, 0.5, 3, 31, 400]))
        assert app.state.repeats.hits > TRIALS / 100  # no cache was idle
        assert app.state.engine.counts["kept"] > TRIALS / 100
    assert all(trials.found[tenant] > TRIALS / 10 for tenant in TENANTS)
