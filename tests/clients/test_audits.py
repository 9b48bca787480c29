"""graphql-http, the reference of GraphQL over HTTP, audits the gateway."""

import pytest

from tests.clients.conftest import Node


@pytest.mark.parametrize("url", [{}, {"gateway_incremental": True}], indirect=True)
async def test_every_audit_passes(url: str, node: Node) -> None:
    results = await node("audit.mjs", url)
    levels = [result["name"].split()[0] for result in results]
    assert {level: levels.count(level) for level in set(levels)} == {"MUST": 13, "SHOULD": 23, "MAY": 25}
    assert [result for result in results if result["status"] != "ok"] == []
