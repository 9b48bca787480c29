"""Answers that are kept, before parsing even, and who they are given to."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.auth.bearer import LOOK_EVERY
from tests.auth.keys import by_keys_in, content_of, made_in, rewrite
from tests.http.test_repeats import Wire, post, wired
from tests.world import NOON

QUERY = "query ($id: ID!) { scan(scanId: $id) { status } }"
REFUSED = b"HTTP/1.1 401 Unauthorized"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made_in(tmp_path / "keys.jsonl")
    return tmp_path / "keys.jsonl"


def asked_by(wire: Wire, *keys: str) -> bytes:
    return post(QUERY, "".join(f"Authorization: Bearer {key}\r\n" for key in keys), id=wire.scan_id)


async def test_a_repeated_answer_ends_with_the_key_that_asked(path: Path) -> None:
    key, lasting = made_in(path, expires=datetime.fromtimestamp(NOON + 60, UTC)), made_in(path)
    async with wired(**by_keys_in(path)) as wire:
        for one in (key, lasting):
            assert [await wire.data(asked_by(wire, one)) for _ in range(4)] == [{"scan": {"status": "READY"}}] * 4
        before = wire.repeats.hits
        assert before >= 2
        wire.clock.advance(60)
        assert (await wire.send(asked_by(wire, key)))[0] == REFUSED
        assert wire.repeats.hits == before
        assert await wire.data(asked_by(wire, lasting)) == {"scan": {"status": "READY"}}
        assert wire.repeats.hits == before + 1


async def test_a_repeated_answer_ends_when_the_key_is_revoked(path: Path) -> None:
    key = made_in(path)
    async with wired(**by_keys_in(path)) as wire:
        for _ in range(4):
            await wire.data(asked_by(wire, key))
        before = wire.repeats.hits
        rewrite(path, content_of(path).splitlines()[0])
        wire.clock.advance(LOOK_EVERY)
        assert (await wire.send(asked_by(wire, key)))[0] == REFUSED
        assert wire.repeats.hits == before >= 1


async def test_what_is_kept_for_one_who_was_let_in_is_not_for_who_is_not(path: Path) -> None:
    key = made_in(path)
    async with wired(**by_keys_in(path)) as wire:
        for _ in range(4):
            await wire.data(asked_by(wire, key))
        for others in ((), ("other",), (key, key), (key, "other"), ("other", key)):
            status, headers, _ = await wire.send(asked_by(wire, *others))
            assert (status, headers[b"www-authenticate"][:27]) == (REFUSED, b'Bearer realm="scan-gateway"'[:27])
        assert len(wire.sandbox.prism.calls) == 1
