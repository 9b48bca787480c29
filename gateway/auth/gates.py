"""Which gate there is, as the settings say."""

import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import HttpUrl

from gateway.access import is_loopback
from gateway.auth.api_keys import ApiKeys
from gateway.auth.bearer import BearerGate
from gateway.auth.caller import Gate, OpenGate
from gateway.auth.jwks import JwksUrl
from gateway.auth.key_sources import FetchedKeys, KeyFile, KeySource
from gateway.auth.pass_through import PassThroughGate
from gateway.auth.tokens import ClaimNames, Expected, Tokens
from gateway.auth.watched_file import BadKeysError
from gateway.settings import BadSettingsError, Settings

log = logging.getLogger("gateway.auth")

NOT_OPEN = (
    "GATEWAY_AUTH=open would let everyone who reaches {host} use the gateway's credentials: set GATEWAY_AUTH to api-key"
    " or jwt, or GATEWAY_HOST to 127.0.0.1."
)
NO_ISSUER = "GATEWAY_JWT_ISSUER is missing: tokens of whoever else these keys sign for would be taken."
NO_AUDIENCE = "GATEWAY_JWT_AUDIENCE is missing: tokens that are meant for others would be taken."
NO_KEYS = "One of GATEWAY_JWT_JWKS_URL and GATEWAY_JWT_KEY_FILE must say where the keys are."
OPEN = "whoever reaches this machine's own address may do everything: GATEWAY_AUTH=open"


def make_gate(settings: Settings, clock: Callable[[], float], *, is_simulated: bool) -> Gate:
    """Make the gate that GATEWAY_AUTH names; where upstreams are simulated there is nothing to guard.

    Raises BadSettingsError for what is missing, cannot be used, or would leave the door open to others.
    """
    if settings.gateway_auth == "pass-through":
        return PassThroughGate(settings.gateway_own_credentials)
    if settings.gateway_auth == "open":
        return _open_gate(settings, is_simulated=is_simulated)
    if settings.gateway_auth == "api-key":
        return BearerGate(_api_keys(settings, clock), clock)
    return BearerGate(_tokens(settings, clock), clock)


def _open_gate(settings: Settings, *, is_simulated: bool) -> OpenGate:
    if not is_simulated:
        if not settings.is_on_loopback:
            raise BadSettingsError([NOT_OPEN.format(host=settings.gateway_host)])
        log.warning(OPEN)
    return OpenGate()


def _api_keys(settings: Settings, clock: Callable[[], float]) -> ApiKeys:
    path = settings.gateway_api_keys
    if path is None:
        raise BadSettingsError(["GATEWAY_API_KEYS is missing: it names the file that `gateway key new` writes."])
    try:
        return ApiKeys(path, clock)
    except BadKeysError as error:
        raise BadSettingsError([f"GATEWAY_API_KEYS cannot be used: {error}"]) from None


def _tokens(settings: Settings, clock: Callable[[], float]) -> Tokens:
    audiences = frozenset((settings.gateway_jwt_audience or "").split())
    issuer = settings.gateway_jwt_issuer or ""
    keys = [one for one in (settings.gateway_jwt_jwks_url, settings.gateway_jwt_key_file) if one is not None]
    needed = {NO_ISSUER: bool(issuer), NO_AUDIENCE: bool(audiences), NO_KEYS: len(keys) == 1}
    if missing := [line for line, is_there in needed.items() if not is_there]:
        raise BadSettingsError(missing)
    expected = Expected(issuer, audiences, settings.gateway_jwt_leeway, settings.gateway_jwt_bytes)
    names = ClaimNames(
        settings.gateway_jwt_subject,
        settings.gateway_jwt_scopes,
        settings.gateway_jwt_tenant,
        settings.gateway_jwt_owner,
    )
    return Tokens(_key_source(keys[0], settings, clock), expected, names, clock)


def _key_source(place: HttpUrl | Path, settings: Settings, clock: Callable[[], float]) -> KeySource:
    if isinstance(place, Path):
        try:
            return KeyFile(place)
        except BadKeysError as error:
            raise BadSettingsError([f"GATEWAY_JWT_KEY_FILE cannot be used: {error}"]) from None
    document = JwksUrl(str(place), is_local=is_loopback(place.host or ""))
    fresh_for, cooldown = settings.gateway_jwks_fresh, settings.gateway_jwks_cooldown
    return FetchedKeys(document, fresh_for=fresh_for, cooldown=cooldown, clock=clock)
