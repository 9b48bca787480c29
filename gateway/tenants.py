"""For whom upstreams are asked: tenants, read again when told to, and callers with access of their own."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.auth.caller import ANYONE, Caller, Gate
from gateway.errors import Forbidden
from gateway.limits import CostLimits
from gateway.links.links import Links
from gateway.rates.rates import Rates
from gateway.scenario.hidden import HiddenTags
from gateway.settings import BadSettingsError, Settings
from gateway.sources import SourceMaker, Sources, access_by, own_access
from gateway.tenant_settings import TenantSettings, read_tenants
from gateway.upstream.credentials import PUBLIC
from gateway.watchers import Watchers

log = logging.getLogger("gateway.tenants")

OWN = "pass-through"
GONE = "Your tenant is not served here."


@dataclass(frozen=True, slots=True)
class Tenant:
    """What is separate for each: sources, how much an operation may cause at most, and what links go by.

    `name` is for metrics and logs, where all who bring access of their own are one; callers are told apart by
    `Caller.tenant`.
    """

    name: str
    sources: Sources
    most: CostLimits
    links: Links


class Tenants:
    """The tenants by the names that callers have of them: those of the settings, and some who bring their own access.

    Whoever was let in before their tenant was removed is still answered; nobody is let in any more then, and what they
    watch ends.
    """

    def __init__(self, settings: Settings, maker: SourceMaker, watchers: Watchers, rates: Rates) -> None:
        """Read them. Raises BadSettingsError with a line for each mistake."""
        self._settings = settings
        self._maker = maker
        self._watchers = watchers
        self._rates = rates
        self._named: dict[str, Tenant] = {}
        self._read: Mapping[str, TenantSettings] = {}
        self._own: OrderedDict[str, Tenant] = OrderedDict()
        self._hidden = HiddenTags((settings.gateway_link_tag,))
        self._take(read_tenants(settings))

    def of(self, caller: Caller = ANYONE) -> Tenant:
        """Give the tenant of one who was let in. Raises Forbidden for one that never was."""
        return self._named.get(caller.tenant) or self._own_tenant(caller)

    def admit(self, caller: Caller) -> bool:
        """Whether a caller's tenant is served."""
        return caller.own is not None or caller.tenant in self._read

    @property
    def may_refuse(self) -> bool:
        """Whether one whom the gate lets in may still have no tenant, now or later."""
        names_none = self._settings.gateway_auth in ("open", "pass-through")
        return self._settings.gateway_tenants_file is not None or not names_none

    def reload(self) -> None:
        """Read the file again; one that cannot be used changes nothing, and is told in the log."""
        try:
            self._take(read_tenants(self._settings))
        except BadSettingsError as error:
            for line in error.lines:
                log.error("tenants stay as they were: %s", line)  # noqa: TRY400 - what is wrong is the operator's
        else:
            log.info("tenants read again: %d are served", len(self._read))

    def _take(self, read: Mapping[str, TenantSettings]) -> None:
        removed = self._read.keys() - read.keys()
        tags = {settings.link_tag for settings in read.values()} | {self._settings.gateway_link_tag}
        hidden_before, self._hidden = self._hidden, HiddenTags(tuple(sorted(tags)))
        stays = self._read if self._hidden == hidden_before else {}
        changed = [name for name, settings in read.items() if settings != stays.get(name)]
        for name in changed:
            self._named[name] = self._tenant(name, read[name])
        if changed:
            self._maker.store.changes += 1  # answers are kept by a tenant's name, and may be of what was
        self._read = read
        self._rates.set_tenants({name: settings.rates for name, settings in read.items()})
        for name in removed:
            self._watchers.end(self._named[name].sources.owns, Forbidden(GONE))

    def _tenant(self, name: str, settings: TenantSettings) -> Tenant:
        before, access = self._named.get(name), access_by(settings)
        links = self._links(settings.link_tag, before)
        if before is not None and before.sources.access == access:
            return replace(before, most=settings.most, links=links)
        sources = self._maker.make(name, access, None if before is None else before.sources)
        return Tenant(name, sources, settings.most, links)

    def _links(self, tag: str, before: Tenant | None = None) -> Links:
        if before is not None and before.links.tag.prefix == tag:
            return before.links.hiding(self._hidden)
        return Links.by(tag, self._hidden, self._maker.clock)

    def _own_tenant(self, caller: Caller) -> Tenant:
        tenant = self._own.get(caller.tenant)
        if tenant is not None:
            self._own.move_to_end(caller.tenant)
            return tenant
        if caller.own is None:
            raise Forbidden(GONE)
        # The same owner in every process, and again once it was forgotten: `Generations` keep what was dropped away.
        sources = self._maker.make(caller.tenant, own_access(caller.own, self._settings))
        limits = self._settings.cost_limits(joined=caller.own.scenario != PUBLIC)
        links = self._links(self._settings.gateway_link_tag)
        tenant = self._own[caller.tenant] = Tenant(OWN, sources, limits, links)
        while len(self._own) > self._settings.gateway_own_credentials:
            self._own.popitem(last=False)
        return tenant


def guarded(gate: Gate, tenants: Tenants) -> Gate:
    """Let a gate open for those alone whose tenant is served, where that may be another question."""
    return TenantGate(gate, tenants.admit) if tenants.may_refuse else gate


class TenantGate:
    """Lets in whom another gate does, for as long as their tenant is served."""

    def __init__(self, gate: Gate, admit: Callable[[Caller], bool]) -> None:
        self._gate = gate
        self._admit = admit

    def known(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Give a caller whom the gate knows."""
        caller = self._gate.known(headers)
        return caller if caller is not None and self._admit(caller) else None

    async def identify(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller. Raises what the gate does, and Forbidden for one whose tenant nobody serves."""
        caller = await self._gate.identify(headers)
        if not self._admit(caller):
            raise Forbidden(GONE)
        return caller

    def admits(self, caller: Caller) -> bool:
        """Whether the gate still does, and the tenant is still served."""
        return self._admit(caller) and self._gate.admits(caller)

    def reload(self) -> None:
        """Let the gate read again what decides."""
        self._gate.reload()

    async def close(self) -> None:
        """Let the gate end what is under way."""
        await self._gate.close()
