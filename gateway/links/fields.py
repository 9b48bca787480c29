"""The fields by which scans and assets lead to each other."""

import strawberry

from gateway.auth.scopes import READ_ASSETS, READ_SCANS
from gateway.graph.cost import costs
from gateway.graph.joining import add_fields
from gateway.graph.link_costs import FoundPages, Points
from gateway.graph.scopes import scoped
from gateway.links.context import Info
from gateway.prism.types import RECORD, Scan
from gateway.scenario.client import MAX_BULK
from gateway.scenario.inputs import given
from gateway.scenario.types import MAX_FIRST, After, Asset, AssetConnection, First


@strawberry.field(
    **scoped(
        READ_ASSETS,
        "The assets that are linked to it, by a tag: those linked in the last minutes, then the others, last made"
        " first. At most `first`, and fewer where some were unlinked a moment ago. Null when they cannot be read.",
    ),
    metadata=costs(FoundPages(MAX_FIRST, MAX_BULK, RECORD)),
)
async def linked_assets(
    self: Scan, info: Info, first: First = 20, after: After = strawberry.UNSET
) -> AssetConnection | None:
    """One call a page of 100 that are found, and one for every 200 that are not at hand."""
    await info.context.prism.check(self.scan_id)
    linked = info.context.links.to(self.scan_id)
    return await info.context.scenario.tagged(linked, first, given(after), info.path.as_list())


@strawberry.field(
    **scoped(
        READ_SCANS,
        "The scan that it is linked to, by a tag; of several the first. Null when there is none, or the caller may not"
        " see it.",
    ),
    metadata=costs(Points(RECORD)),
)
def scan(self: Asset, info: Info) -> Scan | None:
    """No call; but for a caller who may see only their own one, unless the scan is at hand."""
    scan_id = info.context.links.tag.scan_of(self.every_tag())
    return None if scan_id is None else info.context.prism.linked(scan_id)


add_fields(Scan, linked_assets=linked_assets)
add_fields(Asset, scan=scan)
