"""One sandbox that is another to each tenant: the same ids, and a canary of its own in every document."""

import asyncio
import base64
import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from gateway.sandbox import Sandbox
from tests.world import URL

MOMENT = re.compile(r"\.\d{3}Z$")
TEXTS = {"deviceConfigName", "userId", "userToken", "assetConfigId", "authorId", "description", "message", "mimeType"}
OPENS = {
    "/prism": f"Bearer {Sandbox.prism_api_key}",
    "/scenario": f"Bearer {Sandbox.scenario_jwt}",
}


def host_of(tenant: str) -> str:
    return f"http://{tenant}-canary.test"


def canaries_of(tenant: str, number: int) -> tuple[bytes, ...]:
    """What stands in every document of a tenant, and in no other's."""
    return f"{tenant}-canary".encode(), f".{number}{number}{number}Z".encode()


def marked(value: Any, tenant: str, number: int) -> Any:
    """A document with its texts, its moments and its addresses as they are for one tenant."""
    match value:
        case dict():
            return {
                key: f"{item} {tenant}-canary"
                if key in TEXTS and isinstance(item, str)
                else marked(item, tenant, number)
                for key, item in value.items()
            }
        case list():
            return [marked(item, tenant, number) for item in value]
        case str():
            return MOMENT.sub(f".{number}{number}{number}Z", value.replace(URL, host_of(tenant)))
    return value


@dataclass
class Twin(httpx.AsyncBaseTransport):
    """Both upstreams, who take any credential with the name of one of the `tenants` in it, each after a while.

    `seen` are the credentials that came, with the project that was meant. For tenants in `down` they are down.
    """

    sandbox: Sandbox
    tenants: tuple[str, ...] = ("acme", "bolt")
    longest: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    seen: set[tuple[str, str, str | None]] = field(default_factory=set, repr=False)
    down: set[str] = field(default_factory=set)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        given = request.headers.get("authorization", "")
        scheme, _, token = given.rpartition(" ")
        words = base64.b64decode(token).decode() if scheme == "Basic" else token
        tenant = next((tenant for tenant in self.tenants if tenant in words), None)
        api = request.url.path.partition("/")[2].partition("/")[0]
        self.seen.add((api, given, request.url.params.get("projectId")))
        if tenant is None:
            return httpx.Response(401, json={"message": f"{words or 'nobody'} is not known"})
        if tenant in self.down:
            return httpx.Response(503)
        if self.longest:
            await asyncio.sleep(self.random.random() * self.longest)
        inner = httpx.Request(
            request.method,
            request.url.copy_remove_param("projectId"),
            headers={**request.headers, "authorization": OPENS[f"/{api}"]},
            content=request.content,
        )
        answer = await httpx.ASGITransport(app=self.sandbox.app).handle_async_request(inner)
        body = await answer.aread()
        if "json" not in answer.headers.get("content-type", ""):
            return httpx.Response(answer.status_code, content=body)
        return httpx.Response(answer.status_code, json=marked(json.loads(body), tenant, 1 + self.tenants.index(tenant)))
