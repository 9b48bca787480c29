"""The keys behind a URL: kept, rotated, asked for once at a time, and never for what a token wants."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.auth.caller import Gate
from gateway.auth.jwks import MAX_BYTES
from gateway.errors import CannotIdentify, Unauthenticated
from tests.auth.issuer import (
    KEYS,
    OTHER_RSA_KEY,
    RSA_KEY,
    Document,
    by_tokens,
    claims,
    jwk_of,
    published,
    signed,
    token,
)
from tests.auth.keys import bearing
from tests.world import NOON, World, world

STALE, COOLDOWN = 300, 10
NAME = {"data": {"__typename": "Query"}}
LATER: dict[str, Any] = {"exp": NOON + 10**6}


@asynccontextmanager
async def gateway_of(document: Document) -> AsyncIterator[World]:
    async with world(by_tokens(gateway_jwt_jwks_url=document.url)) as gateway:
        yield gateway


async def is_let_in(gateway: World, credential: str) -> bool:
    gate: Gate = gateway.app.state.gate
    headers = {b"authorization": f"Bearer {credential}".encode()}
    try:
        return gate.known(headers) is not None or await gate.identify(headers) is not None
    except Unauthenticated:
        return False


async def until_taken(document: Document, fetches: int) -> None:
    """Wait until that many fetches have come to an end."""
    refreshing = [task for task in asyncio.all_tasks() if "FetchedKeys._refresh" in repr(task)]
    if refreshing:
        await asyncio.wait(refreshing)
    assert document.fetches == fetches


async def test_keys_are_fetched_when_the_first_token_comes_and_kept_for_all_others() -> None:
    async with published() as document, gateway_of(document) as gateway:
        assert document.fetches == 0
        for id_ in KEYS:
            gateway.headers = bearing(token(id_))
            assert await gateway.execute("{ __typename }") == NAME
        gateway.clock.advance(STALE - 1)
        assert await is_let_in(gateway, token("p256", sub="another"))
        assert document.fetches == 1


async def test_however_many_wait_for_keys_there_is_one_fetch() -> None:
    async with published() as document, gateway_of(document) as gateway:
        document.may_answer.clear()
        asked = [asyncio.create_task(is_let_in(gateway, token(sub=str(number)))) for number in range(100)]
        await document.is_asked.wait()
        asked[0].cancel()  # who began it leaves
        document.may_answer.set()
        assert await asyncio.gather(*asked[1:]) == [True] * 99
        assert document.fetches == 1


async def test_a_new_key_is_found_by_the_first_token_that_names_it() -> None:
    async with published(jwk_of("rsa")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("rsa"))
        gateway.clock.advance(COOLDOWN)
        document.keys.append(jwk_of("p256"))
        assert await is_let_in(gateway, token("p256"))
        assert document.fetches == 2


async def test_keys_that_are_no_longer_fresh_are_used_while_others_are_fetched_and_then_their_tokens_are_out() -> None:
    async with published(jwk_of("rsa")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token(**LATER))
        gateway.clock.advance(STALE)
        document.keys[:] = [jwk_of("p256")]
        document.may_answer.clear()
        assert await is_let_in(gateway, token(**LATER))
        document.may_answer.set()
        await until_taken(document, 2)
        assert not await is_let_in(gateway, token(**LATER))
        assert await is_let_in(gateway, token("p256", **LATER))


async def test_a_key_under_the_same_id_with_other_numbers_is_another() -> None:
    async with published(jwk_of("rsa")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token(**LATER))
        document.keys[:] = [jwk_of("rsa", OTHER_RSA_KEY)]
        gateway.app.reload()
        await until_taken(document, 2)
        assert not await is_let_in(gateway, token(**LATER))
        assert await is_let_in(gateway, token(key=OTHER_RSA_KEY, **LATER))


async def test_who_is_told_to_read_again_while_keys_are_fetched_fetches_them_once_more() -> None:
    async with published(jwk_of("rsa")) as document, gateway_of(document) as gateway:
        document.may_answer.clear()
        asked = asyncio.create_task(is_let_in(gateway, token(**LATER)))
        await document.is_asked.wait()  # what it will be answered was known before
        gateway.app.reload()
        gateway.app.reload()
        document.may_answer.set()
        assert await asked
        await until_taken(document, 2)
        gateway.app.reload()
        await until_taken(document, 3)


BROKEN: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 404},
    {"status": 302, "headers": [(b"location", b"/jwks?again")]},
    {"status": 301, "headers": [(b"location", b"https://example.com/")]},
    {"body": b"no JSON"},
    {"body": b"[]"},
    {"body": b'{"keys": {}}'},
    {"body": b'{"keys": []}'},
    {"body": b'{"keys": [' + b"[" * 100_000},
    {"body": json.dumps({"keys": [jwk_of("rsa")], "more": "x" * MAX_BYTES}).encode()},
    {
        "headers": [(b"content-encoding", b"gzip")],
        "body": gzip.compress(json.dumps({"keys": [jwk_of("rsa")]}).encode()),
    },
    {"headers": [(b"content-encoding", b"gzip")], "body": gzip.compress(b" " * 10_000_000)},
    {"body": json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0", "kid": "rsa", "alg": "HS256"}]}).encode()},
    {"body": json.dumps({"keys": [jwk_of("rsa", use="enc")]}).encode()},
    {"body": json.dumps({"keys": [jwk_of("rsa", key_ops=["encrypt"])]}).encode()},
    {"body": json.dumps({"keys": [jwk_of("rsa", d="AQAB")]}).encode()},
    {"body": json.dumps({"keys": [jwk_of("rsa", alg="RSA-OAEP")]}).encode()},
    {"body": json.dumps({"keys": [{**jwk_of("rsa"), "n": 1}]}).encode()},
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
async def test_while_no_good_keys_are_answered_the_last_good_ones_stay(
    broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with published(jwk_of("rsa")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token(**LATER))
        for name, value in broken.items():
            setattr(document, name, value)
        for fetches in (2, 3):
            gateway.clock.advance(STALE)
            assert await is_let_in(gateway, token(sub=str(fetches), **LATER))
            await until_taken(document, fetches)
            assert await is_let_in(gateway, token(**LATER))
        told = [one for one in caplog.messages if one.startswith("the keys that tokens are signed with stay as they")]
        assert len(told) == 2
        document.status, document.headers, document.body = 200, [], None
        document.keys[:] = [jwk_of("p256")]
        gateway.clock.advance(COOLDOWN)
        assert await is_let_in(gateway, token("p256", **LATER))
        assert not await is_let_in(gateway, token(**LATER))


async def test_without_any_keys_it_is_the_gateway_that_fails_and_says_when_to_come_again() -> None:
    async with published() as document, gateway_of(document) as gateway:
        document.status = 503
        for _ in range(20):
            answer = await gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=bearing(token()))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
            assert answer.json()["errors"][0] == {
                "message": "The keys that tokens are signed with cannot be fetched at present.",
                "extensions": {
                    "code": "AUTHENTICATION_UNAVAILABLE",
                    "retryable": True,
                    "retryAfter": 10,
                    "requestId": answer.headers["x-request-id"],
                },
            }
        assert document.fetches == 1
        document.status = 200
        gateway.clock.advance(COOLDOWN)
        assert await is_let_in(gateway, token())


async def test_where_nobody_listens_it_is_the_same(caplog: pytest.LogCaptureFixture) -> None:
    async with published() as document:
        pass
    async with gateway_of(document) as gateway:
        with pytest.raises(CannotIdentify):
            await is_let_in(gateway, token())
        assert caplog.messages == [
            "the keys that tokens are signed with stay as they were: 127.0.0.1 could not be asked: ConnectError."
        ]


async def test_a_member_with_an_algorithm_of_its_own_takes_no_other() -> None:
    async with published(jwk_of("rsa", alg="PS256"), jwk_of("p256")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("rsa", "PS256"))
        assert not await is_let_in(gateway, token("rsa", "RS256"))


async def test_members_that_mean_nothing_here_are_passed_by() -> None:
    odd = [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "secp256k1"},
        {"kty": "new"},
        {},
        jwk_of("ed", use="enc"),
    ]
    async with published(*odd, jwk_of("p256")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("p256"))
        assert await is_let_in(gateway, signed(claims(), {}, "ES256", KEYS["p256"]))
        assert not await is_let_in(gateway, token("rsa", key=RSA_KEY))


@pytest.mark.parametrize("nothing", [{"use": None}, {"key_ops": None}, {"alg": None}])
async def test_a_member_that_says_null_says_nothing(nothing: dict[str, Any]) -> None:
    async with published(jwk_of("p256", **nothing)) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("p256"))


@pytest.mark.parametrize("odd", [{"use": ["sig"]}, {"key_ops": 1}, {"alg": ["ES256"]}, {"alg": {}}, {"alg": "none"}])
async def test_a_member_that_says_something_odd_spoils_no_other(odd: dict[str, Any]) -> None:
    async with published(jwk_of("p384", **odd), jwk_of("p256")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("p256"))
        assert not await is_let_in(gateway, token("p384"))


async def test_a_key_that_a_token_names_is_meant_before_one_without_a_name() -> None:
    nameless = jwk_of("rsa", OTHER_RSA_KEY)
    del nameless["kid"]
    async with published(nameless, jwk_of("rsa")) as document, gateway_of(document) as gateway:
        assert await is_let_in(gateway, token("rsa"))
        assert await is_let_in(gateway, token("old", "RS256", OTHER_RSA_KEY))
        assert not await is_let_in(gateway, token("rsa", key=OTHER_RSA_KEY))


async def test_a_gateway_that_ends_does_not_wait_for_a_fetch() -> None:
    async with published() as document:
        document.may_answer.clear()
        async with gateway_of(document) as gateway:
            asked = asyncio.create_task(is_let_in(gateway, token()))
            await document.is_asked.wait()
        with pytest.raises(CannotIdentify):
            await asked
        document.may_answer.set()
