"""Links that were made a moment ago: Scenario's search may not know of them yet, but who made them does."""

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field

REMEMBERED_FOR = 300.0  # seconds; nobody says how far search is behind, and what is remembered is checked all the same
MOST_SCANS = 1_000
MOST_ASSETS = 200


@dataclass(slots=True)
class RecentLinks:
    """Which assets of one tenant this process may have linked to which scan lately; `clock` is Unix seconds."""

    clock: Callable[[], float]
    _scans: OrderedDict[str, dict[str, float]] = field(default_factory=OrderedDict)

    def note(self, scan_id: str, asset_ids: Iterable[str]) -> Container[str]:
        """Remember that assets are being linked to a scan; give those of which that was known before."""
        now, before = self.clock(), self.of(scan_id)
        its = self._scans.pop(scan_id, {})
        for asset_id in asset_ids:
            its.pop(asset_id, None)
            its[asset_id] = now
        for oldest in list(its)[:-MOST_ASSETS]:
            del its[oldest]
        self._scans[scan_id] = its
        while len(self._scans) > MOST_SCANS:
            self._scans.popitem(last=False)
        return before

    def forget(self, scan_id: str, asset_ids: Iterable[str]) -> None:
        """Forget what came to nothing, or is undone."""
        its = self._scans.get(scan_id, {})
        for asset_id in asset_ids:
            its.pop(asset_id, None)

    def of(self, scan_id: str) -> Sequence[str]:
        """Give the assets that may have been linked to a scan lately, in the order in which they were."""
        its = self._scans.get(scan_id)
        if its is None:
            return ()
        now = self.clock()
        recent = [asset_id for asset_id, moment in its.items() if now < moment + REMEMBERED_FOR]
        if not recent:
            del self._scans[scan_id]
        return recent
