"""What Prism's resolvers need of a request."""

from typing import TYPE_CHECKING, Protocol

import strawberry

from gateway.graph.journal import Journal

if TYPE_CHECKING:
    from gateway.prism.loaders import PrismLoaders
    from gateway.prism.updates import ScanUpdates


class PrismContext(Protocol):
    """The part of the request's context that Prism's resolvers see."""

    @property
    def prism(self) -> "PrismLoaders":
        """What the request loads from Prism."""

    @property
    def journal(self) -> Journal:
        """What the request notes, and who asks."""

    @property
    def scan_updates(self) -> "ScanUpdates":
        """Where scans are subscribed to."""


Info = strawberry.Info[PrismContext, None]
