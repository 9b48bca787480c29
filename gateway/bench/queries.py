"""The three operations that are measured, over the sandbox's data."""

from dataclasses import dataclass

import msgspec

from gateway.sandbox import Sandbox

STAGES = (
    "assets { isReady captureData { status updatedAt } body { status } fittedBody { status } measurement { status } }"
)
URLS = "assetUrls { previewImage model texture expiresAt }"

JOIN = f"query Join($scanId: ID!) {{ scan(scanId: $scanId) {{ scanId {STAGES} {URLS} }} }}"

PAGE = """{ assets(first: 50) { nodes {
  assetId kind status source mimeType url urlExpiresAt privacy name tags createdAt updatedAt authorId ownerId
  description collectionIds metadata { type prompt modelId width height seed } properties { size width height }
} pageInfo { hasNextPage endCursor } } }"""


@dataclass(frozen=True, slots=True)
class Query:
    """An operation as the body of a POST."""

    name: str
    body: bytes


def queries(sandbox: Sandbox) -> list[Query]:
    """A join of two documents, a page of 50 assets with 25 leaves each, and a dashboard of ten scans and ten assets."""
    scans = [id_ for id_ in sandbox.prism.scan_ids("READY") if sandbox.prism.scans[id_].textured]
    assets = list(sandbox.scenario.assets)[:10]
    ids = (sandbox.prism.scan_ids("READY") * 10)[:10]
    dashboard = " ".join(
        [f's{number}: scan(scanId: "{id_}") {{ {STAGES} {URLS} }}' for number, id_ in enumerate(ids)]
        + [f'a{number}: asset(assetId: "{id_}") {{ assetId kind mimeType url }}' for number, id_ in enumerate(assets)]
    )
    return [
        Query("join", _body(JOIN, scanId=scans[0])),
        Query("page", _body(PAGE)),
        Query("dashboard", _body(f"{{ {dashboard} }}")),
    ]


def _body(query: str, **variables: str) -> bytes:
    return msgspec.json.encode({"query": query, "variables": variables})
