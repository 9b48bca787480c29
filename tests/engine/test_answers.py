"""Kept answers: true for as long as every document in them is the one that is kept, and fresh."""

from gateway.sandbox import Fault
from tests.world import World, world


async def ask(gateway: World, scan_id: str) -> object:
    return await gateway.data(
        "query ($id: ID!) { scan(scanId: $id) { assets { isReady } } assets(first: 2) { nodes { assetId } } }",
        id=scan_id,
    )


async def test_an_answer_is_kept_until_its_least_fresh_document_is_not() -> None:
    async with world() as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        first = await ask(gateway, scan_id)
        assert len(gateway.calls) == 2
        gateway.clock.advance(4.9)  # a page is fresh for 5 seconds, a scan that is ready for 300
        assert await ask(gateway, scan_id) == first
        assert gateway.app.state.engine.counts["planned"] == 1
        gateway.clock.advance(0.2)
        await ask(gateway, scan_id)
        assert gateway.app.state.engine.counts["planned"] == 2


async def test_an_answer_goes_with_any_document_in_it_that_is_fetched_anew() -> None:
    async with world() as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        query, other = (
            f'{{ scan(scanId: "{scan_id}") {{ assets {{ {field} }} }} }}' for field in ("isReady", "isFinal")
        )
        counts = gateway.app.state.engine.counts
        for _ in range(3):
            await gateway.data(query)
        assert (counts["planned"], counts["kept"]) == (1, 2)
        gateway.clock.advance(1)
        gateway.headers["cache-control"] = "no-cache"
        await gateway.data(other)
        del gateway.headers["cache-control"]
        assert await gateway.data(query) == {"scan": {"assets": {"isReady": True}}}
        assert (counts["planned"], counts["kept"]) == (3, 2)


async def test_an_answer_goes_with_stages_that_are_fetched_anew_though_a_record_had_them() -> None:
    async with world() as gateway:
        scan_id = list(gateway.sandbox.prism.scans)[20]  # its first stage begins 2 s from now
        scan = f'scan(scanId: "{scan_id}")'
        query = f"{{ {scan} {{ status assets {{ captureData {{ status }} }} }} }}"
        gateway.clock.advance(1.5)
        await gateway.data(query)
        gateway.clock.advance(1)
        gateway.headers["cache-control"] = "no-cache"
        await gateway.data(f"{{ {scan} {{ assets {{ isReady }} }} }}")
        del gateway.headers["cache-control"]
        _ = gateway.calls
        known = {"status": "CREATED", "assets": {"captureData": {"status": "STARTED"}}}
        assert await gateway.data(query) == {"scan": known}
        assert await gateway.data(query.replace("scan", "other: scan", 1)) == {"other": known}
        assert gateway.calls == []


async def test_nothing_is_kept_where_no_document_is() -> None:
    async with world({"gateway_cache_bytes": 0}) as gateway:
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        for _ in range(2):
            await ask(gateway, scan_id)
        assert gateway.app.state.engine.counts["kept"] == 0
        assert len(gateway.calls) == 4


async def test_other_variables_have_another_answer() -> None:
    async with world() as gateway:
        ready, other = gateway.sandbox.prism.scan_ids("READY")[0], gateway.sandbox.prism.scan_ids("FAILED")[0]
        assert await ask(gateway, ready) != await ask(gateway, other)


async def test_an_answer_with_an_error_is_not_kept() -> None:
    async with world() as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", status=503, times=1, headers={"x-should-retry": "false"}))
        query = '{ scan(scanId: "missing") { assets { isReady } } }'
        assert "errors" in await gateway.execute(query)
        assert "errors" not in await gateway.execute(query)


async def test_a_change_takes_every_kept_answer_with_it() -> None:
    async with world() as gateway:
        asset_id = gateway.asset_ids[0]
        query = f'{{ asset(assetId: "{asset_id}") {{ metadata {{ lockExpiresAt }} }} }}'
        before = await gateway.data(query)
        await gateway.data(
            "mutation ($id: ID!, $at: DateTime!) { lockAsset(input: { assetId: $id, lockExpiresAt: $at }) { lockId } }",
            id=asset_id,
            at="2027-01-01T00:00:00Z",
        )
        after = await gateway.data(query)
        assert before == {"asset": {"metadata": {"lockExpiresAt": None}}}
        assert after == {"asset": {"metadata": {"lockExpiresAt": "2027-01-01T00:00:00Z"}}}


async def test_a_kept_answer_still_says_what_it_took() -> None:
    async with world({"gateway_report_calls": True}) as gateway:
        calls = [
            (await gateway.execute("{ assets(first: 1) { nodes { assetId } } }"))["extensions"]["upstreamCalls"]
            for _ in range(2)
        ]
        assert calls == [{"scenario": 1}, {}]
