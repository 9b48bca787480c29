"""What opens both upstreams for one tenant, as an operator sets it: addresses, credentials, and Scenario's project."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

OWN_WORDS = "own_words"
PRISM_KEY = "The Bearer key that Prism issued."


def _fit_for_a_header(secret: SecretStr) -> SecretStr:
    if re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        return secret
    raise PydanticCustomError("header", "It must be ASCII without spaces and line breaks")


def _plain_address(url: HttpUrl) -> HttpUrl:
    if url.username or url.password or url.query or url.fragment:
        raise PydanticCustomError("address", "It must have neither user, password, query nor fragment")
    return url


def _safe_for_keys(url: HttpUrl) -> HttpUrl:
    if url.username or url.password or url.fragment:
        raise PydanticCustomError("address", "It must have neither user, password nor fragment")
    if url.scheme == "https" or is_loopback(url.host or ""):
        return url
    raise PydanticCustomError("address", "It must be https, or anybody on the way could sign tokens")


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached by a host, as far as its name tells."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


Address = Annotated[HttpUrl, AfterValidator(_plain_address)]
KeysAddress = Annotated[HttpUrl, AfterValidator(_safe_for_keys)]
Secret = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]


class AccessSettings(BaseModel):
    """Where both upstreams are, and what opens them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, validate_default=True)

    prism_url: Address = Field(HttpUrl("https://api.hosted.prismlabs.tech"), description="Where Prism's Hosted API is.")
    prism_api_key: Secret | None = Field(None, description=PRISM_KEY)

    scenario_url: Address = Field(HttpUrl("https://api.cloud.scenario.com/v1"), description="Where Scenario's API is.")
    scenario_api_key: Secret | None = Field(None, description="Scenario's API key; with `SCENARIO_API_SECRET`.")
    scenario_api_secret: Secret | None = Field(None, description="The secret of `SCENARIO_API_KEY`.")
    scenario_jwt: Secret | None = Field(None, description="A Scenario user's token, instead of key and secret.")
    scenario_public: bool = Field(
        default=False, description="Read Scenario's public assets only, without any credential."
    )
    scenario_project_id: str | None = Field(
        None, description="Scenario's project; the key's own one when left out.", min_length=1
    )

    @classmethod
    def needs_credentials(cls, _given: Mapping[str, Any]) -> bool:
        """Whether nothing can be done without them, by the fields that stand before."""
        return True

    @field_validator("prism_api_key")
    @classmethod
    def _some_prism_credential(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if key is None and cls.needs_credentials(info.data):
            raise PydanticCustomError(OWN_WORDS, f"PRISM_API_KEY is missing: {PRISM_KEY}")
        return key

    @field_validator("scenario_public")
    @classmethod
    def _one_scenario_credential(cls, is_public: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's signature
        """Check a field, the last of the four, rather than the whole: then it is told beside every other problem."""
        names = ("scenario_api_key", "scenario_api_secret", "scenario_jwt")
        if not info.data.keys() >= set(names):
            return is_public  # one of them cannot be used, which is told already
        key, secret, token = (info.data[name] for name in names)
        if bool(key) != bool(secret):
            raise PydanticCustomError(
                OWN_WORDS, "SCENARIO_API_KEY and SCENARIO_API_SECRET go together; one of them is missing."
            )
        if key or token or is_public or not cls.needs_credentials(info.data):
            return is_public
        raise PydanticCustomError(
            OWN_WORDS,
            "SCENARIO_API_KEY and SCENARIO_API_SECRET are missing; SCENARIO_JWT or SCENARIO_PUBLIC=true would do too.",
        )


def line_of(model: type[BaseModel], place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Say in one line what is wrong with a setting, never showing the value."""
    if kind == OWN_WORDS:
        return message
    name = str(place[0])
    field = model.model_fields.get(name)
    if field is None:
        return f"{name.upper()} is no setting."
    if kind == "missing":
        return f"{name.upper()} is missing: {field.description}"
    return f"{name.upper()} cannot be used: {message}. {field.description}"
