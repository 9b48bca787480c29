"""Tokens (JWT): whose signature and claims are taken, and what they make of a caller."""

import logging
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.dsa import generate_private_key as generate_dsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.auth.caller import Caller
from gateway.auth.key_sources import KeyFile
from gateway.auth.tokens import ClaimNames, Expected, Tokens
from gateway.environment import read_settings
from gateway.errors import Forbidden, Unauthenticated
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from tests.auth.issuer import (
    AUDIENCE,
    ISSUER,
    KEYS,
    OTHER_RSA_KEY,
    RSA_KEY,
    by_tokens,
    claims,
    jwk_of,
    pem_of,
    signed,
    token,
)
from tests.auth.keys import bearing, rewrite
from tests.world import NOON, Clock, given_for, settings_for, world

OTHER_ALGORITHM = "The token must be signed as its key is for: by RS…, PS…, ES… or EdDSA."
OTHER_KEY = "The token is not signed by a key that is known here."
NO_TOKEN = "This is no token (JWT) that can be read."


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A file with one public key."""
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of(RSA_KEY))
    return path


def tokens(path: Path, *, leeway: float = 0, names: ClaimNames | None = None) -> Tokens:
    expected = Expected(ISSUER, frozenset({AUDIENCE, "another"}), leeway, 8_192)
    return Tokens(KeyFile(path), expected, names or ClaimNames(), Clock())


async def refusal_of(credential: str, verifier: Tokens) -> str:
    with pytest.raises((Unauthenticated, Forbidden)) as caught:
        await verifier.verify(credential)
    return caught.value.message


@pytest.mark.parametrize(
    ("id_", "algorithm"),
    [
        *(("rsa", f"{kind}{bits}") for kind in ("RS", "PS") for bits in (256, 384, 512)),
        ("p256", "ES256"),
        ("p384", "ES384"),
        ("p521", "ES512"),
        ("ed", "EdDSA"),
    ],
)
async def test_a_token_is_taken_by_each_algorithm_that_its_key_is_for(id_: str, algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    rewrite(path, pem_of(KEYS[id_]))
    caller = await tokens(path).verify(token(id_, algorithm))
    assert caller == Caller("user:user-1", scopes=frozenset({"*"}), expires_at=NOON + 3_600)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("id_", KEYS)
async def test_a_token_by_another_key_is_refused(id_: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    rewrite(path, pem_of(KEYS[key]))
    if key == id_:
        assert (await tokens(path).verify(token(id_))).id == "user:user-1"
    else:
        assert await refusal_of(token(id_), tokens(path)) == OTHER_ALGORITHM


async def test_a_key_of_the_same_type_is_another_too(pem: Path) -> None:
    assert await refusal_of(token(key=OTHER_RSA_KEY), tokens(pem)) == OTHER_KEY


NEITHER = "The token has no claim `{}`."
SHAPED = [
    ({"exp": NOON}, "The token has expired."),
    ({"exp": NOON - 10**6}, "The token has expired."),
    ({"exp": None}, NEITHER.format("exp")),
    ({"exp": "tomorrow"}, "The token's claim `exp` is no time."),
    ({"exp": str(NOON + 60)}, "The token's claim `exp` is no time."),
    ({"exp": True}, "The token's claim `exp` is no time."),
    ({"exp": 10**400}, "The token's claim `exp` is no time."),
    ({"exp": float("inf")}, "The token's claim `exp` is no time."),
    ({"exp": float("nan")}, "The token's claim `exp` is no time."),
    ({"exp": [NOON + 60]}, "The token's claim `exp` is no time."),
    ({"nbf": NOON + 1}, "The token is not valid yet."),
    ({"nbf": {}}, "The token's claim `nbf` is no time."),
    ({"aud": "other"}, "The token is meant for another audience."),
    ({"aud": ["other", "scan-gateway2"]}, "The token is meant for another audience."),
    ({"aud": [["scan-gateway"]]}, "The token is meant for another audience."),
    ({"aud": {"scan-gateway": 1}}, "The token is meant for another audience."),
    ({"aud": []}, NEITHER.format("aud")),
    ({"aud": None}, NEITHER.format("aud")),
    ({"iss": "https://issuer.example"}, "The token comes from another issuer."),
    ({"iss": None}, NEITHER.format("iss")),
    ({"sub": None}, NEITHER.format("sub")),
    ({"sub": ""}, NEITHER.format("sub")),
    ({"sub": "user-\ud83d"}, NEITHER.format("sub")),
    ({"sub": "x" * 9_000}, "A token may have 8,192 bytes at most."),
    ({"scope": None}, "The token has no scope of this gateway in its claim `scope`."),
    ({"scope": "openid"}, "The token has no scope of this gateway in its claim `scope`."),
    ({"scope": {"*": 1}}, "The token has no scope of this gateway in its claim `scope`."),
    ({"scope": [["*"]]}, "The token has no scope of this gateway in its claim `scope`."),
]


@pytest.mark.parametrize(("changed", "message"), SHAPED)
async def test_a_token_that_says_something_else_is_refused(changed: dict[str, Any], message: str, pem: Path) -> None:
    assert await refusal_of(token(**changed), tokens(pem)) == message


async def test_clocks_may_differ_by_the_leeway(pem: Path) -> None:
    verifier = tokens(pem, leeway=30)
    assert (await verifier.verify(token(exp=NOON - 29))).expires_at == NOON + 1
    assert (await verifier.verify(token(nbf=NOON + 30))).id == "user:user-1"
    assert await refusal_of(token(exp=NOON - 30), verifier) == "The token has expired."
    assert await refusal_of(token(nbf=NOON + 31), verifier) == "The token is not valid yet."


async def test_claims_are_read_by_their_names_in_the_settings(pem: Path) -> None:
    names = ClaimNames("client_id", "https://example.com/scopes", "org", "prism_user")
    said: dict[str, Any] = {
        "client_id": "phone",
        "https://example.com/scopes": ["assets:read", "profile", 7],
        "aud": ["x", "another"],
    }
    verifier = tokens(pem, names=names)
    caller = await verifier.verify(token(sub=None, org="acme", prism_user="u-7", **said))
    assert caller == Caller("user:phone", "acme", frozenset({"assets:read"}), "u-7", NOON + 3_600)
    assert (await verifier.verify(token(sub=None, org="acme", prism_user=7, **said))).owner is None
    assert await refusal_of(token(sub=None, **said), verifier) == "The token names no tenant in its claim `org`."
    assert await refusal_of(token(org="acme"), verifier) == "The token has no claim `client_id`."


@pytest.mark.parametrize("scope", ["scans:read", "openid scans:read assets:read", ["scans:read"], "*"], ids=str)
async def test_who_has_a_scope_may_what_it_is_for(scope: Any, pem: Path) -> None:
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        gateway.headers = bearing(token(scope=scope))
        scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
        answer = {"data": {"scan": {"status": "READY"}}}
        for _ in range(2):  # as one who is not known yet, and then is
            assert await gateway.execute(f'{{ scan(scanId: "{scan_id}") {{ status }} }}') == answer


async def test_who_has_no_scope_is_known_but_may_not(pem: Path) -> None:
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        answer = await gateway.client.post(
            "/graphql", json={"query": "{ __typename }"}, headers=bearing(token(scope=""))
        )
        assert answer.status_code == 403
        assert answer.headers["www-authenticate"] == 'Bearer realm="scan-gateway", error="insufficient_scope"'
        assert answer.json()["errors"][0]["extensions"] == {
            "code": "FORBIDDEN",
            "requestId": answer.headers["x-request-id"],
        }


async def test_a_token_is_verified_once_and_known_until_it_ends(pem: Path) -> None:
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        gateway.headers = bearing(token(exp=NOON + 60))
        headers = {b"authorization": gateway.headers["authorization"].encode()}
        gate = gateway.app.state.gate
        assert gate.known(headers) is None
        assert await gateway.execute("{ __typename }") == {"data": {"__typename": "Query"}}
        caller = gate.known(headers)
        assert caller is gate.known(headers)
        gateway.clock.advance(60)
        assert (gate.known(headers), gate.admits(caller)) == (None, False)
        expired = {"message": "The token has expired.", "extensions": {"code": "UNAUTHENTICATED"}}
        assert await gateway.execute("{ __typename }") == {"errors": [expired]}


async def test_a_key_file_that_changes_is_read_again_and_its_old_tokens_are_out(
    pem: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        gate = gateway.app.state.gate
        caller = await gate.identify({b"authorization": f"Bearer {token()}".encode()})
        rewrite(pem, b"damaged")
        gateway.clock.advance(5)
        assert gate.admits(caller)
        assert caplog.messages[0].startswith(
            f"the keys that tokens are signed with stay as they were: {pem}: this is no"
        )
        rewrite(pem, pem_of(KEYS["p256"]))
        gateway.clock.advance(5)
        assert not gate.admits(caller)
        assert (await gate.identify({b"authorization": f"Bearer {token('p256')}".encode()})).id == caller.id


async def test_a_file_may_hold_a_jwk_set_and_then_tokens_name_their_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    members = [jwk_of("rsa"), jwk_of("p256"), jwk_of("next", OTHER_RSA_KEY)]
    rewrite(path, b'{"keys": ' + str(members).replace("'", '"').encode() + b"}")
    verifier = tokens(path)
    for said in (token("rsa"), token("p256"), token("next", "RS256", OTHER_RSA_KEY)):
        assert (await verifier.verify(said)).id == "user:user-1"
    assert await refusal_of(token("next", "RS256", RSA_KEY), verifier) == OTHER_KEY
    assert await refusal_of(token("none", "RS256", RSA_KEY), verifier) == OTHER_KEY
    assert (await verifier.verify(signed(claims(), {}, "ES256", KEYS["p256"]))).id == "user:user-1"
    unnamed = signed(claims(), {}, "RS256", RSA_KEY)
    assert await refusal_of(unnamed, verifier) == "The token must say by `kid` which key it is signed with."


def secret_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


BAD_FILES = [
    b"",
    b"no key",
    secret_pem(RSA_KEY),
    pem_of(generate_rsa(65_537, 1_024)),  # noqa: S505 - what is refused
    pem_of(generate_private_key(SECP256K1())),
    pem_of(generate_dsa(2_048)),
    b'{"keys": []}',
    b'{"keys": 1}',
    b"{}",
    b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}]}',
    b"{" + b'"a":{' * 10_000,
]


@pytest.mark.parametrize("content", BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_gateway_does_not_start_with_keys_that_verify_nothing(content: bytes, pem: Path) -> None:
    rewrite(pem, content)
    with pytest.raises(BadSettingsError) as caught:
        create_app(settings_for(Sandbox(), **by_tokens(gateway_jwt_key_file=pem)))
    (line,) = caught.value.lines
    assert line.startswith(f"GATEWAY_JWT_KEY_FILE cannot be used: {pem}: ")


def test_a_gateway_does_not_start_without_an_issuer_an_audience_and_one_place_of_keys(pem: Path) -> None:
    no_issuer = "GATEWAY_JWT_ISSUER is missing: tokens of whoever else these keys sign for would be taken."
    no_audience = "GATEWAY_JWT_AUDIENCE is missing: tokens that are meant for others would be taken."
    no_keys = "One of GATEWAY_JWT_JWKS_URL and GATEWAY_JWT_KEY_FILE must say where the keys are."
    both = {"gateway_jwt_key_file": pem, "gateway_jwt_jwks_url": "https://issuer.example/jwks"}
    for given_, lines in [
        ({"gateway_auth": "jwt"}, [no_issuer, no_audience, no_keys]),
        (by_tokens(), [no_keys]),
        (by_tokens(**both), [no_keys]),
        (by_tokens(gateway_jwt_key_file=pem, gateway_jwt_audience=" "), [no_audience]),
    ]:
        with pytest.raises(BadSettingsError) as caught:
            create_app(settings_for(Sandbox(), **given_))
        assert caught.value.lines == lines


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://issuer.example/jwks?p=policy", True),
        ("http://127.0.0.1:1/jwks", True),
        ("http://[::1]:1/jwks", True),
        ("http://issuer.example/jwks", False),
        ("http://127.0.0.1.example/jwks", False),
        ("https://user:pass@issuer.example/jwks", False),
        ("file:///etc/passwd", False),
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str, *, is_taken: bool) -> None:
    if is_taken:
        assert str(settings_for(Sandbox(), gateway_jwt_jwks_url=url).gateway_jwt_jwks_url) == url
        return
    with pytest.raises(BadSettingsError, match="GATEWAY_JWT_JWKS_URL cannot be used"):
        read_settings(None, **given_for(Sandbox(), gateway_jwt_jwks_url=url))


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text("abcXYZ019-_.=", max_size=80),
        st.tuples(st.integers(0, 400), st.characters(codec="ascii")),
        st.tuples(st.sampled_from([0, 1, 2]), st.text("abcXYZ019-_=", max_size=40)),
    )
)
def test_whatever_is_changed_in_a_token_it_is_refused_and_nothing_breaks(
    change: str | tuple[int, str],
) -> None:
    good = token()
    if isinstance(change, str):
        bad = change
    elif len(change[1]) == 1:
        place = change[0] % len(good)
        bad = good[:place] + change[1] + good[place + 1 :]
    else:
        parts = good.split(".")
        parts[change[0] % 3] = change[1]
        bad = ".".join(parts)
    if bad == good:
        return
    with NamedTemporaryFile() as file:
        rewrite(Path(file.name), pem_of(RSA_KEY))
        verification = tokens(Path(file.name)).verify(bad)
    with pytest.raises(Unauthenticated):
        verification.send(None)


async def test_nothing_of_a_token_is_logged_or_shown(pem: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(by_tokens(gateway_jwt_key_file=pem)) as gateway:
        for credential in (token(), token(exp=NOON), token(key=OTHER_RSA_KEY), token()[:-8]):
            answer = await gateway.client.post(
                "/graphql", json={"query": "{ __typename }"}, headers=bearing(credential)
            )
            shown = f"{answer.headers}{answer.text}{caplog.text}{gateway.app.state.gate!r}{gateway.app!r}"
            for part in credential.split("."):
                assert part[:24] not in shown
