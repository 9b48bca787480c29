"""The clients that frontends use take an answer in parts: what is there at once is shown at once."""

from pathlib import Path

import pytest

from gateway.sandbox import Fault, Sandbox
from gateway.schema import build_schema
from tests.clients.conftest import Node

IN_PARTS = ["Apollo Client, 20220824", "Apollo Client, v0.2"]


@pytest.mark.parametrize("url", [{"gateway_incremental": True}], indirect=True)
async def test_a_client_shows_what_is_there_before_slow_urls_are(url: str, node: Node, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(upstream="prism", path="asset-urls", delay=1))
    seen = await node("defer.mjs", url, *sandbox.prism.scan_ids("READY")[:3])
    assert list(seen) == [*IN_PARTS, "urql"]
    for name in IN_PARTS:
        shown, whole = seen[name]["shown"], seen[name]["whole"]
        scan, nodes = whole["scan"], whole["assets"]["nodes"]
        begun = {"id": scan["id"], "assets": scan["assets"]}
        assert shown == [
            {"scan": begun, "assets": {"nodes": nodes[:1]}},
            {"scan": begun, "assets": {"nodes": nodes}},
            whole,
        ]
        assert scan["assetUrls"]["model"]
    assert seen["urql"]["shown"] == [seen["urql"]["whole"]]


@pytest.mark.parametrize("url", [{"gateway_incremental": True}], indirect=True)
async def test_relay_shows_each_fragment_and_item_when_it_is_there(
    url: str, node: Node, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add(Fault(upstream="prism", path="asset-urls", delay=1))
    compiled_against = tmp_path / "schema.graphql"
    compiled_against.write_text(build_schema(is_incremental=True).as_str(), encoding="utf-8")
    seen = await node("defer_relay.mjs", url, sandbox.prism.scan_ids("READY")[0], str(compiled_against))
    whole = seen["whole"]
    assert seen["shown"] == [
        {**whole, "nodes": whole["nodes"][:1], "urls": None},
        {**whole, "urls": None},
        whole,
    ]
    assert (len(whole["nodes"]), whole["urls"]["status"], seen["complaints"]) == (3, "READY", [])
