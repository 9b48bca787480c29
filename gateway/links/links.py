"""What one tenant's links go by."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.auth.caller import Caller
from gateway.auth.scopes import is_confined
from gateway.links.recent import RecentLinks
from gateway.links.tag import LinkTag
from gateway.scenario.hidden import HiddenTags
from gateway.scenario.tagged import Tagged


@dataclass(frozen=True, slots=True)
class Links:
    """Lives as long as a tenant has the same tag; `hidden` are the tags of all tenants, as assets may be theirs too."""

    tag: LinkTag
    recent: RecentLinks
    hidden: HiddenTags

    @classmethod
    def by(cls, prefix: str, hidden: HiddenTags, clock: Callable[[], float]) -> "Links":
        """Link by tags that begin with a prefix."""
        return cls(LinkTag(prefix), RecentLinks(clock), hidden)

    def hiding(self, hidden: HiddenTags) -> "Links":
        """Go on with other tags hidden."""
        return replace(self, hidden=hidden)

    def hidden_from(self, caller: Caller) -> HiddenTags | None:
        """The tags that a caller may not read: all links, where not every scan is theirs to see."""
        return self.hidden if is_confined(caller) else None

    def to(self, scan_id: str) -> Tagged:
        """What is linked to a scan."""
        return Tagged(self.tag.spellings(scan_id), list(self.recent.of(scan_id)))
