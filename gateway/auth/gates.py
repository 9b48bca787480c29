"""Which gate there is, as the settings say."""

import logging
from collections.abc import Callable

from gateway.auth.api_keys import ApiKeys, BadKeysError
from gateway.auth.bearer import BearerGate
from gateway.auth.caller import Gate, OpenGate
from gateway.auth.pass_through import PassThroughGate
from gateway.settings import BadSettingsError, Settings

log = logging.getLogger("gateway.auth")

NOT_OPEN = (
    "GATEWAY_AUTH=open would let everyone who reaches {host} use the gateway's credentials: set GATEWAY_AUTH to api-key"
    " or jwt, or GATEWAY_HOST to 127.0.0.1."
)
OPEN = "whoever reaches this machine's own address may do everything: GATEWAY_AUTH=open"


def make_gate(settings: Settings, clock: Callable[[], float], *, is_simulated: bool = False) -> Gate:
    """Make the gate that GATEWAY_AUTH names; where upstreams are simulated there is nothing to guard.

    Raises BadSettingsError for what is missing, cannot be used, or would leave the door open to others.
    """
    if settings.gateway_auth == "pass-through":
        return PassThroughGate(settings.gateway_own_credentials)
    if settings.gateway_auth == "open":
        return _open_gate(settings, is_simulated=is_simulated)
    return BearerGate(_api_keys(settings, clock), clock)


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
