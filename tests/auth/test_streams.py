"""Who is let in over WebSocket, server-sent events and multipart, and how these end when that ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.bearer import LOOK_EVERY
from gateway.auth.caller import ENDED
from gateway.http.application import App
from tests.auth.issuer import KEYS as SIGNING_KEYS
from tests.auth.issuer import by_tokens, pem_of, published, token
from tests.auth.keys import by_keys_in, content_of, made_in, rewrite
from tests.http.exchanges import Socket, ask, connect
from tests.world import NOON, World, settle, world

SSE, APOLLO = "text/event-stream", 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json'
FOLLOW = "subscription ($scanId: ID!) { scanUpdated(scanId: $scanId) { status } }"
ACK = {"type": "connection_ack"}
MISSING = "Say who asks: `Authorization: Bearer` with an API key of this gateway."
MALFORMED = "The Authorization header must be `Bearer` and an API key of this gateway, once."
UNKNOWN = "This API key is not known here, or was revoked."
SOON = 0.2  # seconds of the test's clock, and of the loop's


@pytest.fixture
async def gateway(path: Path, key: str) -> AsyncIterator[World]:
    """A gateway that knows the key."""
    assert key
    async with world({**by_keys_in(path), "gateway_watch_jitter": 0}) as made:
        yield made


async def begin(app: App, payload: Any = None, headers: Mapping[str, str] | None = None) -> Socket:
    """Connect, and say who asks."""
    socket = await connect(app, admitted=False, headers=dict(headers or {}))
    await socket.say({"type": "connection_init", **({} if payload is None else {"payload": payload})})
    return socket


def follow(gateway: World) -> dict[str, Any]:
    variables = {"scanId": list(gateway.sandbox.prism.scans)[20]}
    return {"id": "1", "type": "subscribe", "payload": {"query": FOLLOW, "variables": variables}}


def state(status: str) -> dict[str, Any]:
    return {"id": "1", "type": "next", "payload": {"data": {"scanUpdated": {"status": status}}}}


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": "Bearer KEY"},
        {"authorization": "bearer KEY"},
        {"headers": {"Authorization": "Bearer KEY"}},
        {"headers": {"authorization": "Bearer KEY", "x": 1}, "other": None},
    ],
)
async def test_a_key_may_stand_where_clients_put_it(payload: dict[str, Any], gateway: World, key: str) -> None:
    said = json.loads(json.dumps(payload).replace("KEY", key))
    socket = await begin(gateway.app, said)
    assert socket.heard() == [ACK]
    await socket.say(follow(gateway))
    assert socket.heard() == [state("CREATED")]
    await socket.leave()


async def test_the_handshakes_header_does_as_well_and_what_is_said_wins_over_it(gateway: World, key: str) -> None:
    good, bad = {"authorization": f"Bearer {key}"}, {"authorization": "Bearer other"}
    for headers, payload, heard in [
        (good, None, [ACK]),
        (good, {}, [ACK]),
        (good, bad, [(4403, UNKNOWN)]),
        (bad, good, [ACK]),
        (bad, None, [(4403, UNKNOWN)]),
    ]:
        socket = await begin(gateway.app, payload, headers)
        assert socket.heard() == heard
        await socket.leave()


@pytest.mark.parametrize(
    ("payload", "closing"),
    [
        (None, (4401, MISSING)),
        ({}, (4401, MISSING)),
        ({"token": "KEY"}, (4401, MISSING)),
        ({"Authorization": {"Bearer": "KEY"}}, (4401, MISSING)),
        ({"headers": ["Bearer KEY"]}, (4401, MISSING)),
        ({"Authorization": "KEY"}, (4403, MALFORMED)),
        ({"Authorization": "Bearer KEY", "authorization": "Bearer KEY"}, (4403, MALFORMED)),
        ({"Authorization": "Bearer KEY", "headers": {"Authorization": "Bearer KEY"}}, (4403, MALFORMED)),
        ({"Authorization": "Bearer KEYx"}, (4403, UNKNOWN)),
        ({"Authorization": "Bearer \ud83d\ude00"}, (4403, MALFORMED)),
    ],
)
async def test_who_is_not_let_in_is_told_why_and_clients_know_whether_to_come_again(
    payload: Any, closing: tuple[int, str], gateway: World, key: str
) -> None:
    said = json.loads(json.dumps(payload).replace("KEY", key))
    socket = await begin(gateway.app, said)
    assert socket.heard() == [closing]
    assert gateway.calls == []
    await socket.leave()


async def test_a_second_beginning_is_refused_even_with_another_key(gateway: World, key: str, path: Path) -> None:
    socket = await begin(gateway.app, {"Authorization": f"Bearer {key}"})
    await socket.say({"type": "connection_init", "payload": {"Authorization": f"Bearer {made_in(path)}"}})
    assert socket.heard() == [ACK, (4429, "Too many initialisation requests")]
    await socket.leave()


async def test_a_connection_ends_with_the_key_even_in_silence(gateway: World, path: Path) -> None:
    key = made_in(path, expires=datetime.fromtimestamp(NOON + SOON, UTC))
    socket = await begin(gateway.app, {"Authorization": f"Bearer {key}"})
    await socket.say(follow(gateway))
    assert socket.heard() == [ACK, state("CREATED")]
    await asyncio.wait_for(socket.task, 30)
    assert socket.heard() == [(4403, ENDED)]
    assert gateway.gateway.watchers.subscribed == 0


async def test_a_connection_whose_key_is_revoked_hears_nothing_more(gateway: World, key: str, path: Path) -> None:
    socket, idle = [await begin(gateway.app, {"Authorization": f"Bearer {key}"}) for _ in range(2)]
    await socket.say(follow(gateway))
    assert (socket.heard(), idle.heard()) == ([ACK, state("CREATED")], [ACK])
    rewrite(path, content_of(path).splitlines()[0])
    gateway.clock.advance(LOOK_EVERY)
    await settle()
    assert socket.heard() == [(4403, ENDED)]
    await idle.say({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}})
    assert idle.heard() == [(4403, ENDED)]
    await socket.leave()
    assert gateway.gateway.watchers.subscribed == 0


@pytest.mark.parametrize("is_following", [False, True], ids=["idle", "following"])
async def test_a_connection_whose_key_is_revoked_ends_even_in_silence(path: Path, *, is_following: bool) -> None:
    kept, key = made_in(path), made_in(path)
    async with world({**by_keys_in(path), "gateway_heartbeat": SOON}) as gateway:
        socket, other = [await begin(gateway.app, {"Authorization": f"Bearer {each}"}) for each in (key, kept)]
        if is_following:
            await socket.say(follow(gateway))
        socket.heard()
        rewrite(path, content_of(path).rpartition(b"\n{")[0])  # without the last line
        gateway.app.reload()
        await asyncio.wait_for(socket.until_sent(1), 30)
        await settle()
        assert (socket.heard(), other.heard()) == ([(4403, ENDED)], [ACK])
        assert gateway.gateway.watchers.subscribed == 0
        await socket.leave()
        await other.leave()


UNAUTHENTICATED = f'"errors":[{{"message":"{ENDED}","extensions":{{"code":"UNAUTHENTICATED","requestId":"test"}}}}]'


PART = "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql"
FIRST = '{"data":{"scanUpdated":{"status":"CREATED"}}}'
FRAMED = [
    (SSE, f":\n\nevent: next\ndata: {FIRST}\n\n", ""),
    (
        APOLLO,
        "\r\n--graphql" + PART.format(f'{{"payload":{FIRST}}}'),
        PART.format(f'{{"payload":null,{UNAUTHENTICATED}}}') + "--\r\n",
    ),
]


@pytest.mark.parametrize(("accept", "opening", "last"), FRAMED, ids=["events", "multipart"])
@pytest.mark.parametrize("is_revoked", [False, True], ids=["expired", "revoked"])
async def test_a_stream_is_interrupted_when_its_key_ends(
    accept: str, opening: str, last: str, gateway: World, path: Path, *, is_revoked: bool
) -> None:
    key = made_in(path, expires=None if is_revoked else datetime.fromtimestamp(NOON + SOON, UTC))
    scan_id = list(gateway.sandbox.prism.scans)[20]
    exchange = ask(gateway.app, FOLLOW, accept, credential=key, scanId=scan_id)
    await settle()
    assert (exchange.status, exchange.body) == (200, opening)
    if is_revoked:
        rewrite(path, content_of(path).splitlines()[0])
        gateway.clock.advance(LOOK_EVERY)
    else:
        gateway.clock.advance(SOON)
    await asyncio.wait_for(exchange.task, 30)
    assert exchange.body == opening + last
    assert exchange.is_complete
    assert gateway.gateway.watchers.subscribed == 0


@pytest.mark.parametrize("accept", [SSE, APOLLO])
async def test_no_stream_begins_without_a_key(accept: str, gateway: World) -> None:
    exchange = ask(gateway.app, FOLLOW, accept, scanId="a")
    await asyncio.wait_for(exchange.task, 30)
    assert exchange.status == 401
    assert MISSING in exchange.body
    assert gateway.calls == []


async def test_a_token_ends_a_connection_as_well(tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    rewrite(pem, pem_of(SIGNING_KEYS["ed"]))
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        socket = await begin(gateway.app, {"headers": {"Authorization": f"Bearer {token('ed', exp=NOON + SOON)}"}})
        assert socket.heard() == [ACK]
        await asyncio.wait_for(socket.task, 30)
        assert socket.heard() == [(4403, ENDED)]
        for said, closing in [
            (token("ed", exp=NOON - 1), (4403, "The token has expired.")),
            (token("ed", scope=""), (4403, "The token has no scope of this gateway in its claim `scope`.")),
        ]:
            refused = await begin(gateway.app, {"Authorization": f"Bearer {said}"})
            assert refused.heard() == [closing]
            await refused.leave()


async def test_a_client_comes_again_where_nobody_can_tell_who_it_is() -> None:
    async with published() as document, world(by_tokens(gateway_jwt_jwks_url=document.url)) as gateway:
        document.status = 500
        socket = await begin(gateway.app, {"Authorization": f"Bearer {token()}"})
        await asyncio.wait_for(socket.task, 30)
        assert socket.heard() == [(1013, "The keys that tokens are signed with cannot be fetched at present.")]
