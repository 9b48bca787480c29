"""The three operations that are measured, over the sandbox's data; each connection asks for documents of its own.

Were they to ask for the same, an upstream would be called once for all that wait.
"""

from dataclasses import dataclass, replace
from uuid import UUID

import msgspec

from gateway.bench.modes import URL
from gateway.sandbox import Sandbox
from gateway.sandbox.auth import PROJECT_ID
from gateway.scenario import wire

CONNECTIONS = 32  # at most
EACH = 10

STAGES = (
    "assets { isReady captureData { status updatedAt } body { status } fittedBody { status } measurement { status } }"
)
URLS = "assetUrls { previewImage model texture expiresAt }"

JOIN = f"query Join($scanId: ID!) {{ scan(scanId: $scanId) {{ scanId {STAGES} {URLS} }} }}"

PAGE = """{ assets(first: 50, filter: { createdAfter: "%s" }) { nodes {
  assetId kind status source mimeType url urlExpiresAt privacy name tags createdAt updatedAt authorId ownerId
  description collectionIds metadata { type prompt modelId width height seed } properties { size width height }
} pageInfo { hasNextPage endCursor } } }"""


@dataclass(frozen=True, slots=True)
class Query:
    """An operation as the bodies of POSTs: one for each connection, for documents of the same shape."""

    name: str
    bodies: tuple[bytes, ...]


def make_sandbox() -> Sandbox:
    """Make a sandbox with as many scans as all connections ask for, all of them ready and with every file."""
    sandbox = Sandbox(url=URL)
    scan = next(its for id_ in sandbox.prism.scan_ids("READY") if (its := sandbox.prism.scans[id_]).textured)
    ids = [str(UUID(int=number, version=4)) for number in range(CONNECTIONS * EACH)]
    sandbox.prism.scans = {id_: replace(scan, scan_id=id_) for id_ in ids}
    return sandbox


def queries(sandbox: Sandbox, connections: int = CONNECTIONS) -> list[Query]:
    """A join of two documents, a page of 50 assets with 25 leaves each, and a dashboard of ten scans and ten assets.

    All are final, so that those that are kept stay fresh while they are measured.
    """
    scans = list(sandbox.prism.scans)
    assets = [id_ for id_, asset in sandbox.scenario.assets.items() if _is_final(asset)]
    parts = [slice(number * EACH, (number + 1) * EACH) for number in range(connections)]
    return [
        Query("join", tuple(_body(JOIN, scanId=scans[part.start]) for part in parts)),
        Query("page", tuple(_body(PAGE % f"2020-01-01T00:00:{number:02}Z") for number in range(connections))),
        Query("dashboard", tuple(_body(_dashboard(scans[part], assets[part])) for part in parts)),
    ]


def _is_final(asset: wire.Asset) -> bool:
    return asset["status"] == "success" and asset["ownerId"] == PROJECT_ID and "deletedAt" not in asset


def _dashboard(scans: list[str], assets: list[str]) -> str:
    selections = [
        *(f's{number}: scan(scanId: "{id_}") {{ {STAGES} {URLS} }}' for number, id_ in enumerate(scans)),
        *(f'a{number}: asset(assetId: "{id_}") {{ assetId kind mimeType url }}' for number, id_ in enumerate(assets)),
    ]
    return f"{{ {' '.join(selections)} }}"


def _body(query: str, **variables: str) -> bytes:
    return msgspec.json.encode({"query": query, "variables": variables})
