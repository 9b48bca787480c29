"""Both upstreams as one tenant reaches them: clients under its credentials, and what is watched there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from pydantic import HttpUrl, SecretStr

from gateway.access import AccessSettings
from gateway.auth.caller import OwnAccess
from gateway.cache.store import DocumentStore
from gateway.logs import never_log
from gateway.prism import client as prism
from gateway.prism.kinds import PrismKinds
from gateway.prism.updates import ScanUpdates
from gateway.scenario import client as scenario
from gateway.scenario.kinds import ScenarioKinds
from gateway.scenario.updates import JobUpdates
from gateway.upstream.channel import BASE_HEADERS
from gateway.upstream.credentials import Credential, basic, bearer, brought, public
from gateway.upstream.failures import Failures
from gateway.upstream.health import Health, Healths
from gateway.upstream.network import Network
from gateway.upstream.policy import Policy
from gateway.upstream.quota import Quota
from gateway.upstream.sender import Sender
from gateway.upstream.upstream import Upstream, scope_of
from gateway.watchers import Watchers


class Api(NamedTuple):
    """An upstream's name for errors and counters, what people call it, the headers that it wants, and its routes."""

    name: str
    title: str
    headers: Mapping[str, str]
    routes: tuple[str, ...]


PRISM = Api("prism", "Prism", prism.HEADERS, prism.ROUTES)
SCENARIO = Api("scenario", "Scenario", scenario.HEADERS, scenario.ROUTES)
APIS = (PRISM, SCENARIO)


@dataclass(frozen=True, slots=True)
class Access:
    """Where the upstreams are, what opens them, and which of Scenario's projects is meant; its key's own if None."""

    prism_url: str
    prism: Credential
    scenario_url: str
    scenario: Credential
    project_id: str | None


def access_by(settings: AccessSettings) -> Access:
    """Give the access that an operator set."""
    return Access(
        address(settings.prism_url),
        bearer(_secret(settings.prism_api_key)),
        address(settings.scenario_url),
        _scenario_credential(settings),
        settings.scenario_project_id,
    )


def own_access(own: OwnAccess, settings: AccessSettings) -> Access:
    """Give the access that a client brought, to upstreams whose addresses are the operator's choice all the same."""
    prism_url, scenario_url = address(settings.prism_url), address(settings.scenario_url)
    return Access(prism_url, brought(own.prism), scenario_url, brought(own.scenario), own.project_id)


def address(url: HttpUrl) -> str:
    """Write the address that paths follow."""
    return str(url).rstrip("/")


def _scenario_credential(settings: AccessSettings) -> Credential:
    """Choose as Scenario's own SDK does: key and secret first, then the user's token."""
    if settings.scenario_api_key and settings.scenario_api_secret:
        return basic(_secret(settings.scenario_api_key), _secret(settings.scenario_api_secret))
    return bearer(_secret(settings.scenario_jwt)) if settings.scenario_jwt else public()


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Lives as long as a tenant's access is the same; `scopes` are those of its cache keys, now and before."""

    access: Access
    scopes: frozenset[str]
    prism: prism.PrismClient
    scenario: scenario.ScenarioClient
    scan_updates: ScanUpdates
    job_updates: JobUpdates

    def owns(self, key: str) -> bool:
        """Whether a cache key is of a document that was their tenant's at any time."""
        return scope_of(key) in self.scopes


@dataclass(frozen=True, slots=True)
class SourceMaker:
    """Makes sources over one network, in front of one store. `not_found_for` is seconds.

    `assumed_rates` are the calls a minute that each upstream, by its name, is thought to allow a credential, and
    `healths` how each does.
    """

    network: Network
    store: DocumentStore
    watchers: Watchers
    prism_kinds: PrismKinds
    scenario_kinds: ScenarioKinds
    clock: Callable[[], float]
    policy: Policy
    not_found_for: float
    assumed_rates: Mapping[str, int]
    healths: Mapping[str, Healths] = field(default_factory=lambda: {api.name: Healths() for api in APIS})

    def make(self, owner: str, access: Access, before: Sources | None = None) -> Sources:
        """Make the sources of an owner, who meets no other in the cache, not even one with the same credentials.

        What was watched by those from `before` goes on by the new access.
        """
        owned = f"{owner}\n{access.project_id}"
        to_prism = self._upstream(PRISM, access.prism_url, access.prism, owner)
        to_scenario = self._upstream(SCENARIO, access.scenario_url, access.scenario, owned)
        prism_client = prism.PrismClient(to_prism, self.prism_kinds)
        scenario_client = scenario.ScenarioClient(to_scenario, self.scenario_kinds, access.project_id)
        scopes = frozenset((to_prism.scope, to_scenario.scope))
        if before is None:
            scans, jobs = ScanUpdates(prism_client, self.watchers), JobUpdates(scenario_client, self.watchers)
        else:
            scopes |= before.scopes
            scans, jobs = before.scan_updates, before.job_updates
            scans.client, jobs.client = prism_client, scenario_client
        return Sources(access, scopes, prism_client, scenario_client, scans, jobs)

    def _upstream(self, api: Api, url: str, credential: Credential, owner: str) -> Upstream:
        authorization = {"authorization": credential.header} if credential.header else {}
        failures = Failures(api.name, api.title, self.network.bounds.timeout, credential.secrets, self.clock)
        headers = {**BASE_HEADERS, **api.headers, **authorization}
        channel = self.network.channel(api.name, url, headers, api.routes)
        health = Health()
        sender = Sender(failures, self.policy, health)
        self.healths[api.name].follow(sender, health)
        never_log(credential.secrets, sender)
        return Upstream(
            name=api.name,
            channel=channel,
            tally=self.network.tallies[api.name],
            credential=credential,
            store=self.store,
            clock=self.clock,
            sender=sender,
            not_found_for=self.not_found_for,
            scope=_scope(owner, url, credential),
            quota=Quota(api.name, api.title, self.assumed_rates[api.name], self.clock),
        )


def _scope(*parts: str | Credential) -> str:
    """Tell apart what another owner, address, credential or project would be answered."""
    words = (part.fingerprint if isinstance(part, Credential) else part for part in parts)
    return blake2b("\n".join(words).encode(), digest_size=16).hexdigest()
