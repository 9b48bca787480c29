"""Links that were made a moment ago: Scenario's search may not know of them yet, but who made them does."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

REMEMBERED_FOR = 300.0  # seconds; nobody says how far search is behind, and what is remembered is checked all the same
MOST_SCANS = 1_000
MOST_ASSETS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """Assets that were noted together, in Unix seconds; what is linked again is noted anew."""

    moment: float


@dataclass(slots=True)
class RecentLinks:
    """Which assets of one tenant this process may have linked to which scan lately; `clock` is Unix seconds."""

    clock: Callable[[], float]
    _scans: OrderedDict[str, dict[str, Noted]] = field(default_factory=OrderedDict)

    def note(self, scan_id: str, asset_ids: Iterable[str]) -> Noted:
        """Remember that assets are being linked to a scan."""
        noted, its = Noted(self.clock()), self._scans.pop(scan_id, {})
        for asset_id in asset_ids:
            its.pop(asset_id, None)
            its[asset_id] = noted
        for oldest in list(its)[:-MOST_ASSETS]:
            del its[oldest]
        self._scans[scan_id] = its
        while len(self._scans) > MOST_SCANS:
            self._scans.popitem(last=False)
        return noted

    def forget(self, scan_id: str, noted: Mapping[str, Noted]) -> None:
        """Forget what came to nothing, or is undone, unless somebody else has noted it anew meanwhile."""
        its = self._scans.get(scan_id, {})
        for asset_id, one in noted.items():
            if its.get(asset_id) is one:
                del its[asset_id]

    def of(self, scan_id: str) -> Mapping[str, Noted]:
        """Give the assets that may have been linked to a scan lately, in the order in which they were."""
        its = self._scans.get(scan_id)
        if its is None:
            return {}
        now = self.clock()
        recent = {asset_id: noted for asset_id, noted in its.items() if now < noted.moment + REMEMBERED_FOR}
        if not recent:
            del self._scans[scan_id]
        return recent
