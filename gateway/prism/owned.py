"""The scans that a caller may see: every one, or their own, beside which Prism has no others."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from gateway.cache.document import Document, Kind
from gateway.cache.flight import DocumentOrError, Waiting
from gateway.errors import UpstreamError
from gateway.graph.journal import Journal
from gateway.graph.loading import after
from gateway.prism.client import PrismClient
from gateway.prism.kinds import PrismKinds
from gateway.prism.owner import Owner, owner_of
from gateway.upstream.upstream import Upstream


class Scans(Protocol):
    """What a request reads of scans: the only way from its loaders to Prism."""

    @property
    def upstream(self) -> Upstream:
        """Where they come from."""

    @property
    def kinds(self) -> PrismKinds:
        """The kinds of their documents."""

    def kept(self, kind: Kind, scan_id: str) -> Document | None:
        """A document of a scan where it is at hand and fresh; never calls."""

    def scan(self, scan_id: str, *, waiting: Waiting | None = None) -> Waiting:
        """The record of a scan."""

    def embedded_stages(self, record: DocumentOrError | None) -> DocumentOrError | None:
        """The stages that a record embeds, or the failure that stops both."""

    def scan_assets(self, scan_id: str, *, waiting: Waiting | None = None) -> Waiting:
        """The status of each stage."""

    def asset_urls(self, scan_id: str, waiting: Waiting | None = None) -> Waiting:
        """Every signed URL."""

    def asset_url(self, scan_id: str, asset_type: str, waiting: Waiting | None = None) -> Waiting:
        """One signed URL as a JSON string."""


def scans_of(client: PrismClient, journal: Journal) -> Scans:
    """Choose the scans that the caller of a request may see."""
    owner = owner_of(journal.caller)
    return client if owner is None else OwnScans(client, owner, journal)


class OwnScans:
    """Belongs to one request of a caller who may see their own scans only.

    Nothing of a scan is asked for, or taken from what is at hand, before its record was read as the owner's; anyone
    else's record is missing by then. So their scans and those that do not exist take the same calls, and end alike.
    """

    __slots__ = ("_client", "_journal", "_owner", "_records", "kinds", "upstream")

    def __init__(self, client: PrismClient, owner: Owner, journal: Journal) -> None:
        self.upstream = client.upstream
        self.kinds = client.kinds
        self._client = client
        self._owner = owner
        self._journal = journal
        self._records: dict[str, Waiting] = {}

    def kept(self, kind: Kind, scan_id: str) -> Document | None:
        """A document where that and the record are at hand and fresh; never calls."""
        record = self._client.kept_owned_scan(scan_id, self._owner)
        if kind is self.kinds.scan:
            return record
        if record is None or record.missing:
            return None
        document = self._client.kept(kind, scan_id)
        if document is not None:
            self._journal.document(record)  # the answer is true for as long as this is
        return document

    def scan(self, scan_id: str, *, waiting: Waiting | None = None) -> Waiting:
        """The record of a scan, as its owner sees it: asked for once a request."""
        waiting = waiting or Waiting()
        known = self._records.get(scan_id)
        if known is not None and known.done() and not known.cancelled() and known.exception() is None:
            waiting.set_result(known.result())
            return waiting
        if known is None or known.done():
            self._records[scan_id] = waiting
        return self._client.owned_scan(scan_id, self._owner, waiting=waiting)

    def embedded_stages(self, record: DocumentOrError | None) -> DocumentOrError | None:
        """The stages that the owner's record embeds, or the failure that stops both."""
        stages = self._client.embedded_stages(record)
        if isinstance(record, Document) and stages is not None:
            self._journal.document(record)  # they are kept as documents of their own, and theirs while this is
        return stages

    def scan_assets(self, scan_id: str, *, waiting: Waiting | None = None) -> Waiting:
        """The status of each stage, out of the record where it embeds them."""

        def load(record: Document, one: Waiting) -> None:
            stages = self._client.embedded_stages(record)
            if stages is None:
                self._client.scan_assets(scan_id, waiting=one)
            else:
                one.set_result(stages)

        return self._after_record(scan_id, waiting, load)

    def asset_urls(self, scan_id: str, waiting: Waiting | None = None) -> Waiting:
        """Every signed URL."""
        return self._after_record(scan_id, waiting, lambda _, one: self._client.asset_urls(scan_id, one))

    def asset_url(self, scan_id: str, asset_type: str, waiting: Waiting | None = None) -> Waiting:
        """One signed URL as a JSON string."""
        return self._after_record(scan_id, waiting, lambda _, one: self._client.asset_url(scan_id, asset_type, one))

    def _after_record(
        self, scan_id: str, waiting: Waiting | None, load: Callable[[Document, Waiting], object]
    ) -> Waiting:
        """Let a document be loaded once the scan's record is there, and the owner's."""
        waiting = waiting or Waiting()
        record = self.scan(scan_id)
        waiting.on_cancel = record.cancel
        after(record, waiting, partial(self._pass, waiting, load))
        return waiting

    def _pass(self, waiting: Waiting, load: Callable[[Document, Waiting], object], record: DocumentOrError) -> None:
        waiting.on_cancel = None
        if isinstance(record, UpstreamError):
            waiting.set_result(record)
            return
        self._journal.document(record)
        if record.missing:
            waiting.set_result(self.upstream.not_found("such scan"))
        else:
            load(record, waiting)
