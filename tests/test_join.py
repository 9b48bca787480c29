"""One query over both upstreams, and exactly the calls that it takes."""

from tests.world import World

JOIN = """
query Join($scanId: ID!) {
  scan(scanId: $scanId) {
    scanId
    assets { isReady isFinal captureData { status } body { status } fittedBody { status } measurement { status } }
    assetUrls { previewImage expiresAt }
  }
  assets(first: 250) { nodes { assetId } pageInfo { hasNextPage } }
}
"""


async def test_a_scans_stages_its_urls_and_250_assets_take_two_calls_to_prism_and_three_to_scenario(
    gateway: World,
) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    data = await gateway.data(JOIN, scanId=scan_id)
    done = {"status": "SUCCEEDED"}
    assert data["scan"]["assets"] == {
        "isReady": True,
        "isFinal": True,
        "captureData": done,
        "body": done,
        "fittedBody": done,
        "measurement": done,
    }
    assert data["scan"]["assetUrls"]["expiresAt"] == "2026-09-21T15:13:20Z"
    assert len({node["assetId"] for node in data["assets"]["nodes"]}) == 250
    assert data["assets"]["pageInfo"] == {"hasNextPage": True}
    assert gateway.calls == [
        ("GET", f"/scans/{scan_id}/asset-urls"),
        ("GET", f"/scans/{scan_id}/scan-assets"),
        ("GET", "/assets"),
        ("GET", "/assets"),
        ("GET", "/assets"),
    ]
