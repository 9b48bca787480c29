"""API keys: who bears one is let in until it expires, or its line leaves the file."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.auth.api_keys import ApiKeys, new_key
from gateway.auth.bearer import FEW, LOOK_EVERY, MAX_KNOWN, BearerGate
from gateway.auth.caller import Caller
from gateway.environment import read_settings
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from tests.auth.keys import ASSET, bearing, by_keys_in, content_of, made_in, rewrite
from tests.world import NOON, Clock, World, given_for, settings_for, world

NAME = {"data": {"__typename": "Query"}}
UNKNOWN = "This API key is not known here, or was revoked."
MALFORMED = "The Authorization header must be `Bearer` and an API key of this gateway, once."
MISSING = "Say who asks: `Authorization: Bearer` with an API key of this gateway."


@pytest.fixture
async def gateway(path: Path, key: str) -> AsyncIterator[World]:
    """A gateway that knows the key."""
    assert key
    async with world(by_keys_in(path)) as made:
        yield made


def refused(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED"}}]}


async def ask(gateway: World, **headers: str) -> dict[str, Any]:
    gateway.headers = headers
    return await gateway.execute("{ __typename }")


async def test_who_bears_a_key_is_let_in(gateway: World, key: str) -> None:
    for scheme in ("Bearer", "bearer", "BEARER "):
        assert await ask(gateway, authorization=f"{scheme} {key}") == NAME


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "text/event-stream"])
async def test_nobody_is_let_in_without_a_key(gateway: World, accept: str) -> None:
    answer = await gateway.client.post("/graphql", json={"query": ASSET}, headers={"accept": accept})
    assert answer.status_code == 401
    written = "application/json" if accept == "text/event-stream" else accept
    assert answer.headers["content-type"].partition(";")[0] == written
    assert answer.headers["www-authenticate"] == 'Bearer realm="scan-gateway"'
    assert answer.headers["cache-control"] == "no-store"
    (error,) = answer.json()["errors"]
    assert error == {
        "message": MISSING,
        "extensions": {"code": "UNAUTHENTICATED", "requestId": answer.headers["x-request-id"]},
    }
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", MALFORMED),
        ("Bearer", MALFORMED),
        ("Bearer ", MALFORMED),
        ("KEY", MALFORMED),
        ("Basic KEY", MALFORMED),
        ("Bearer KEY KEY", MALFORMED),
        ("Bearer KEY, Bearer KEY", MALFORMED),
        ("Bearer KEY\t", MALFORMED),
        ("Bearer KEYx", UNKNOWN),
        ("Bearer xKEY", UNKNOWN),
        ("Bearer sgw_", UNKNOWN),
        ("Bearer sgw__", UNKNOWN),
        (f"Bearer sgw_{'0' * 12}_{'A' * 43}", UNKNOWN),
        (f"Bearer {'a' * 8_000}", UNKNOWN),
        (f"Bearer sgw_{'_' * 7_000}", UNKNOWN),
    ],
)
async def test_what_is_no_key_is_refused_without_being_shown(
    header: str, message: str, gateway: World, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = {"authorization": header.replace("KEY", key)}
    answer = await gateway.client.post("/graphql", json={"query": ASSET}, headers=given)
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (401, message)
    assert answer.headers["www-authenticate"] == 'Bearer realm="scan-gateway", error="invalid_token"'
    assert key.split("_", 2)[2] not in f"{answer.headers}{answer.text}{caplog.text}"
    assert gateway.calls == []


async def test_each_character_of_a_key_counts(gateway: World, key: str) -> None:
    for place in range(len(key)):
        other = "A" if key[place] != "A" else "B"
        answer = await ask(gateway, **bearing(key[:place] + other + key[place + 1 :]))
        assert answer == refused(UNKNOWN)


async def test_a_key_ends_when_it_expires(path: Path) -> None:
    key = made_in(path, expires=datetime.fromtimestamp(NOON + 60, UTC))
    async with world(by_keys_in(path)) as gateway:
        assert await ask(gateway, **bearing(key)) == NAME
        gateway.clock.advance(59)
        assert await ask(gateway, **bearing(key)) == NAME
        gateway.clock.advance(1)
        for _ in range(2):
            assert await ask(gateway, **bearing(key)) == refused("This API key has expired.")


async def test_a_key_that_is_added_is_known_within_seconds(gateway: World, path: Path) -> None:
    added = made_in(path)
    assert await ask(gateway, **bearing(added)) == NAME  # nobody had asked before, so the file was looked at
    later = made_in(path)
    assert await ask(gateway, **bearing(later)) == refused(UNKNOWN)
    gateway.clock.advance(LOOK_EVERY)
    assert await ask(gateway, **bearing(later)) == NAME


async def test_a_key_whose_line_is_gone_is_revoked_and_the_others_stay(gateway: World, path: Path, key: str) -> None:
    first, second = content_of(path).splitlines()
    other = made_in(path)
    for one in (key, other):
        assert await ask(gateway, **bearing(one)) == NAME
    rewrite(path, b"\n".join([first, b"", content_of(path).splitlines()[2]]))
    assert second not in content_of(path)
    gateway.clock.advance(LOOK_EVERY)
    assert await ask(gateway, **bearing(key)) == refused(UNKNOWN)
    assert await ask(gateway, **bearing(other)) == NAME


async def test_who_is_let_in_no_more_is_forgotten(path: Path) -> None:
    clock = Clock()
    rewrite(path, b"")
    gate = BearerGate(ApiKeys(path, clock), clock)
    for _ in range(5):
        rewrite(path, b"")
        callers = [{b"authorization": f"Bearer {made_in(path)}".encode()} for _ in range(FEW)]
        clock.advance(LOOK_EVERY)
        for headers in callers:
            await gate.identify(headers)
        assert all(gate.known(headers) for headers in callers)
    assert gate.remembered <= 2 * FEW


class Fleeting:
    """Lets in whoever comes, for a minute."""

    kind = "anything"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def verify(self, credential: str) -> Caller:
        return Caller(credential, expires_at=self._clock() + 60)

    def look_again(self) -> None:
        pass

    def reload(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_a_caller_who_writes_a_credential_in_many_ways_is_remembered_once() -> None:
    clock = Clock()
    gate = BearerGate(Fleeting(clock), clock)
    for spaces in range(1, 50):
        assert (await gate.identify({b"authorization": b"Bearer%bone" % (b" " * spaces)})).id == "one"
        assert (await gate.identify({b"authorization": b"bEARER%bone" % (b" " * spaces)})).id == "one"
    assert gate.remembered == 1


async def test_who_has_expired_is_forgotten_however_many_they_are() -> None:
    clock, many = Clock(), MAX_KNOWN * 2 // 3
    gate = BearerGate(Fleeting(clock), clock)
    for turn in range(3):
        for number in range(many):
            await gate.identify({b"authorization": b"Bearer %d-%d" % (turn, number)})
        assert many <= gate.remembered < many + FEW * 10
        clock.advance(60)


async def test_a_key_may_do_what_its_line_says_now(gateway: World, path: Path, key: str) -> None:
    gate = gateway.app.state.gate
    headers = {b"authorization": f"Bearer {key}".encode()}
    before = await gate.identify(headers)
    assert before.scopes == {"*"}
    rewrite(path, content_of(path).replace(b'"*"', b'"scans:read"'))
    gate.reload()
    assert (gate.known(headers), gate.admits(before)) == (None, False)
    after = await gate.identify(headers)
    assert (after.id, after.scopes) == (before.id, {"scans:read"})
    assert after.rights != before.rights


async def test_a_file_that_is_damaged_or_gone_changes_nothing_and_is_logged(
    gateway: World, path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = content_of(path)
    for damaged, why in [
        (whole[:-9], "line 2: this is no key as `gateway key new` writes it."),
        (whole + whole, "line 3: this id was there before."),
    ]:
        rewrite(path, damaged)
        gateway.clock.advance(LOOK_EVERY)
        assert await ask(gateway, **bearing(key)) == NAME
        assert caplog.messages.pop() == f"the API keys stay as they were: {path}, {why}"
        gateway.clock.advance(LOOK_EVERY)
        assert await ask(gateway, **bearing(key)) == NAME
        assert len(caplog.messages) == 1  # it is told once
        caplog.clear()
    rewrite(path, None)
    gateway.clock.advance(LOOK_EVERY)
    assert await ask(gateway, **bearing(key)) == NAME
    assert caplog.messages == [f"the API keys stay as they were: {path} cannot be read: No such file or directory."]
    rewrite(path, b"")
    gateway.clock.advance(LOOK_EVERY)
    assert await ask(gateway, **bearing(key)) == refused(UNKNOWN)


def test_a_key_is_kept_as_a_salted_hash() -> None:
    made = [new_key("a", ("assets:read",), "a", None, None) for _ in range(100)]
    assert len({stored.hash for _, stored in made}) == len({stored.id for _, stored in made}) == 100
    for key, stored in made:
        prefix, id_, secret = key.split("_", 2)
        assert (prefix, id_, len(secret)) == ("sgw", stored.id, 43)
        assert secret not in repr(stored)
        assert stored.fits(secret)


LINE: dict[str, Any] = json.loads(
    '{"id": "a", "name": "a", "hash": "' + "0" * 32 + ":" + "0" * 64 + '", "scopes": ["assets:read"]}'
)


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        json.dumps({**LINE, "scope": []}),
        json.dumps({**LINE, "id": "a_b"}),
        json.dumps({**LINE, "hash": "0:0"}),
        json.dumps({**LINE, "expires": "2027-01-01T00:00:00"}),
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_a_gateway_does_not_start_with_a_line_that_it_does_not_understand(line: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_bytes(json.dumps(LINE).encode() + b"\n" + line.encode("latin-1"))
    with pytest.raises(BadSettingsError) as caught:
        create_app(settings_for(Sandbox(), **by_keys_in(path)))
    assert caught.value.lines == [
        f"GATEWAY_API_KEYS cannot be used: {path}, line 2: this is no key as `gateway key new` writes it."
    ]


def test_a_gateway_does_not_start_with_a_scope_that_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_text(json.dumps({**LINE, "scopes": ["assets:read", "assets"]}), encoding="utf-8")
    with pytest.raises(BadSettingsError) as caught:
        create_app(settings_for(Sandbox(), **by_keys_in(path)))
    assert caught.value.lines == [f"GATEWAY_API_KEYS cannot be used: {path}, line 1: there is no scope `assets`."]


def test_a_gateway_does_not_start_without_the_file_that_it_needs(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError) as caught:
        create_app(settings_for(Sandbox(), gateway_auth="api-key"))
    assert caught.value.lines == ["GATEWAY_API_KEYS is missing: it names the file that `gateway key new` writes."]
    with pytest.raises(BadSettingsError, match="GATEWAY_API_KEYS cannot be used: Path does not point to a file"):
        read_settings(None, **given_for(Sandbox(), **by_keys_in(tmp_path / "none")))
