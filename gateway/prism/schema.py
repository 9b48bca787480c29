"""What can be asked of Prism."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from gateway.auth.scopes import READ_SCANS
from gateway.graph.cost import Calls, Names, costs
from gateway.graph.ids import check_id, each_id
from gateway.graph.scopes import scoped
from gateway.prism.context import Info
from gateway.prism.types import Scan

MAX_SCANS = 100


@strawberry.type
class PrismQueries:
    """Prism's fields of `Query`."""

    @strawberry.field(
        **scoped(READ_SCANS, "One body scan. Lazy: only the documents behind the selected fields are fetched."),
        metadata=costs(Names("scanId")),
    )
    def scan(self, scan_id: Annotated[strawberry.ID, strawberry.argument(description="Prism's id.")]) -> Scan | None:
        """No call: the scan's fields make theirs."""
        return Scan.by_id(check_id(scan_id, "scanId"))

    @strawberry.field(
        **scoped(READ_SCANS, f"Scans by Prism id, in the order asked. At most {MAX_SCANS}."),
        metadata=costs(Names("scanIds")),
    )
    def scans_by_id(
        self, scan_ids: Annotated[list[strawberry.ID], strawberry.argument(description="Prism's ids.")]
    ) -> list[Scan | None]:
        """No call either."""
        return each_id(scan_ids, "scanIds", MAX_SCANS, Scan.by_id)


@strawberry.type
class PrismSubscriptions:
    """Prism's fields of `Subscription`."""

    @strawberry.subscription(
        **scoped(
            READ_SCANS,
            "The scan now, then after each change, until no stage can change any more; NOT_FOUND for no scan.",
        ),
        metadata=costs(Calls(2)),
    )
    async def scan_updated(
        self, info: Info, scan_id: Annotated[strawberry.ID, strawberry.argument(description="Prism's id.")]
    ) -> AsyncIterator[Scan]:
        """One call a look, or two where the record does not embed the stages, however many subscribe."""
        return await info.context.scan_updates.of(check_id(scan_id, "scanId"), info.context.journal.caller)


def scan_node(info: Info, scan_id: str) -> Scan | None:
    """The scan behind a global id, where Prism has it."""
    return info.context.prism.existing(scan_id)
