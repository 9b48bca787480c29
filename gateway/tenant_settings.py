"""Tenants as an operator sets them: one from the environment, or many from a TOML file, read again when told to.

    [acme]
    prism_api_key = "${ACME_PRISM_KEY}"                # from the environment
    scenario_api_key = "api_…"
    scenario_api_secret = { file = "secrets/acme" }    # from a file, by its path from this one
    scenario_project_id = "proj_…"
    max_upstream_calls = 100
    rate_requests = 300
    link_tag = "acme-scan:"

What a tenant leaves out is as in the environment's settings, but for credentials.
"""

import os
import re
import tomllib
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from gateway.access import AccessSettings, line_of
from gateway.auth.caller import DEFAULT_TENANT
from gateway.limits import CostLimits
from gateway.rates.rates import NAMES as RATE_NAMES
from gateway.rates.rates import TenantRates
from gateway.settings import BadSettingsError, Rate, Settings, TagPrefix

SETTING = "GATEWAY_TENANTS_FILE"
UNKNOWN = "unknown"  # stands for what cannot be looked up, so that all else is checked
NONE_NAMED = f"{SETTING} cannot be used with GATEWAY_AUTH=pass-through: clients bring what it would hold."
NO_DEFAULT = f"{SETTING} must name the tenant {DEFAULT_TENANT!r}, to whom {{}}."
OF_ALL = "everyone belongs by GATEWAY_AUTH=open"
OF_TOKENS = "all tokens belong without GATEWAY_JWT_TENANT"
NO_NAME = "a tenant's name is of letters, digits, `_` and `-`, at most 63."
TENANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WORD = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")


class TenantSettings(AccessSettings):
    """What is one tenant's: access to the upstreams, what an operation may cause, rates, and what links go by."""

    model_config = ConfigDict(extra="forbid")

    max_upstream_calls: int = Field(description="How many upstream calls an operation could cause at most.", ge=1)
    max_objects: int = Field(description="How many objects an operation could answer at most.", ge=1)
    link_tag: TagPrefix = Field(description="What the tag of an asset begins with that ends in its scan's id.")

    rate_requests: Rate | None = Field(description="A caller's requests a minute.")
    rate_upstream_calls: Rate | None = Field(description="Upstream calls that a caller may cause a minute.")
    rate_objects: Rate | None = Field(description="Objects that a caller may be answered a minute.")
    rate_tenant_requests: Rate | None = Field(description="Requests a minute of all its callers together.")

    @property
    def rates(self) -> TenantRates:
        """What its callers may do in a minute."""
        return TenantRates.of({name: getattr(self, f"rate_{name}") for name in RATE_NAMES})

    @property
    def most(self) -> CostLimits:
        """What an operation may cause; Scenario's public credential lets no calls be joined."""
        has_credential = self.scenario_api_key is not None or self.scenario_jwt is not None
        return CostLimits(self.max_upstream_calls, self.max_objects, has_credential)


def read_tenants(settings: Settings, environment: Mapping[str, str] = os.environ) -> Mapping[str, TenantSettings]:
    """Give the tenants by their names. Raises BadSettingsError with a line for each mistake in the file."""
    if settings.gateway_auth == "pass-through":
        if settings.gateway_tenants_file is not None:
            raise BadSettingsError([NONE_NAMED])
        return {}
    if settings.gateway_tenants_file is None:
        names = AccessSettings.model_fields
        own = {**_defaults(settings), **{name: getattr(settings, name) for name in names}}
        return {DEFAULT_TENANT: TenantSettings.model_validate(own)}
    tables = _tables(settings.gateway_tenants_file)
    folder = settings.gateway_tenants_file.parent
    tenants: dict[str, TenantSettings] = {}
    lines: list[str] = []
    for name, table in tables.items():
        try:
            tenants[name] = _tenant(name, table, _defaults(settings), _Words(environment, folder))
        except BadSettingsError as error:
            lines += [f"{settings.gateway_tenants_file.name}: {name[:64]!r}: {line}" for line in error.lines]
    if (those := _of_default(settings)) and DEFAULT_TENANT not in tables:
        lines.append(NO_DEFAULT.format(those))
    if lines:
        raise BadSettingsError(lines)
    return tenants


def _of_default(settings: Settings) -> str | None:
    """Say who belongs to the tenant that has no name of its own, where these are all who are let in."""
    if settings.gateway_auth == "jwt" and settings.gateway_jwt_tenant is None:
        return OF_TOKENS
    return OF_ALL if settings.gateway_auth == "open" else None


def _defaults(settings: Settings) -> dict[str, Any]:
    """What holds for every tenant that says nothing else; credentials are nobody else's."""
    return {
        "prism_url": settings.prism_url,
        "scenario_url": settings.scenario_url,
        "max_upstream_calls": settings.gateway_max_upstream_calls,
        "max_objects": settings.gateway_max_objects,
        "link_tag": settings.gateway_link_tag,
        **{f"rate_{name}": value for name, value in settings.rates.items()},
    }


def _tables(path: Path) -> Mapping[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettingsError([f"{SETTING} cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise BadSettingsError([f"{SETTING} cannot be read: it is not UTF-8."]) from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettingsError([f"{SETTING} is no TOML: {error}."]) from None
    if not tables:
        raise BadSettingsError([f"{SETTING} names no tenant: each is a table, as [acme]."])
    return tables


class _Words:
    """Values as they are written: a text, or where one stands, so that the file of tenants need not hold secrets."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def value(self, written: Any) -> Any:
        """Give what is meant. Raises LookupError, whose message says why there is none."""
        if isinstance(written, dict):
            return self._read(written)
        found = _VARIABLE.fullmatch(written) if isinstance(written, str) else None
        if found is None:
            return written
        if not self._environment.get(found[1]):
            raise LookupError(f"the environment has no {found[1]}")
        return self._environment[found[1]]

    def _read(self, written: Mapping[str, Any]) -> str:
        path = written.get("file")
        if written.keys() != {"file"} or not isinstance(path, str):
            raise LookupError('it must be a text, "${VARIABLE}" or { file = "path" }')
        try:
            return (self._folder / path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError, ValueError):
            raise LookupError(f"the file {path} cannot be read") from None


def _tenant(name: str, table: Any, defaults: Mapping[str, Any], words: _Words) -> TenantSettings:
    if not TENANT_NAME.fullmatch(name):
        raise BadSettingsError([NO_NAME])
    if not isinstance(table, dict):
        raise BadSettingsError(["a tenant is a table, as [acme]."])
    given, told = dict(defaults), {}
    for key, written in table.items():
        try:
            given[key] = words.value(written)
        except LookupError as error:
            given[key] = UNKNOWN
            told[key] = f"{key} cannot be used: {error.args[0]}."
    try:
        tenant = TenantSettings.model_validate(given)
    except ValidationError as error:
        raise BadSettingsError([*told.values(), *_lines(error, told)]) from None
    if told:
        raise BadSettingsError(list(told.values()))
    return tenant


def _lines(error: ValidationError, told: Container[str]) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        if problem["loc"][0] not in told:
            line = line_of(TenantSettings, problem["loc"], problem["type"], problem["msg"])
            yield _WORD.sub(lambda word: word[0].lower(), line)  # in the file they are written so
