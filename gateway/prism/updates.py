"""Scans as they change: the record and the stages of each, looked at together."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gateway.auth.caller import Caller
from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.errors import UpstreamError
from gateway.prism.client import PrismClient
from gateway.prism.enums import ScanAssetType
from gateway.prism.kinds import embedded_stages, scan_is_final
from gateway.prism.owner import Owner, owner_of
from gateway.prism.types import Scan, ScanDocuments
from gateway.watch import Seen
from gateway.watchers import Watchers


@dataclass(slots=True)
class ScanUpdates:
    """Lives as long as its tenant; a `client` of other credentials may take the place of the one before."""

    client: PrismClient
    watchers: Watchers

    async def of(self, scan_id: str, caller: Caller) -> AsyncIterator[Scan]:
        """A scan now and after each change of its record or its stages, until neither can change.

        It is watched for its owner apart from who may see every scan, and for as long as it is theirs. Raises what the
        first look does, LimitExceeded, or ShuttingDown.
        """
        owner = owner_of(caller)
        upstream = self.client.upstream
        key = upstream.key(self.client.kinds.scan, scan_id, owner.key if owner else "")
        return await self.watchers.subscribe(key, _ScanLook(self, scan_id, owner), upstream.sender.late)


@dataclass(slots=True)
class _ScanLook:
    """Looks at one scan: one call where the record embeds the stages, else two; none while people need the quota.

    Each look is by one client, though another may take its place meanwhile.
    """

    updates: ScanUpdates
    scan_id: str
    owner: Owner | None
    version: tuple[bytes, bytes] | None = field(default=None, init=False)

    async def __call__(self, *, anew: bool) -> Seen[Scan]:
        client = self.updates.client
        if anew:
            client.upstream.quota.give_way()
        record = _found(await self._record(client, anew=anew))
        if record.missing:
            raise client.upstream.not_found("such scan")
        stages = await self._stages(client, record, anew=anew)
        version = (record.body, stages.body)
        is_final = scan_is_final(*version)
        if self._may_bring_urls(version, anew=anew, is_final=is_final):
            seen_at = max(record.fetched_at, stages.fetched_at)
            await client.forget_urls(self.scan_id, [each.value for each in ScanAssetType], seen_at)
        self.version = version
        seen = ScanDocuments(record, None if stages.missing else stages)
        return Seen(Scan.by_id(self.scan_id, seen), version, is_final)

    def _may_bring_urls(self, version: tuple[bytes, bytes], *, anew: bool, is_final: bool) -> bool:
        """Whether URLs from before may be too few: after a change, and where no look comes after the first."""
        if self.version is None:
            return is_final
        return anew and self.version != version  # else whoever looked has forgotten them

    def _record(self, client: PrismClient, *, anew: bool) -> Waiting:
        if self.owner is None:
            return client.scan(self.scan_id, anew=anew)
        return client.owned_scan(self.scan_id, self.owner, anew=anew)

    async def _stages(self, client: PrismClient, record: Document, *, anew: bool) -> Document:
        """The stages; embedded ones that are newer than what is kept are kept in its place."""
        embedded = embedded_stages(record)
        if embedded is None:
            return _found(await client.scan_assets(self.scan_id, anew=anew))
        stages = _found(embedded)
        if anew:
            await client.upstream.keep(client.kinds.scan_assets, stages)
        return stages


def _found(outcome: DocumentOrError) -> Document:
    if isinstance(outcome, UpstreamError):
        raise outcome
    return outcome
