"""An image that stands for an asset."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from gateway.cache.expiry import signed_url_expiry
from gateway.graph.cost import Refers, costs
from gateway.graph.document_type import DocumentType, wire
from gateway.graph.scalars import URL
from gateway.scenario.client import MAX_BULK
from gateway.scenario.context import Info

if TYPE_CHECKING:
    from gateway.scenario.types import Asset


@strawberry.type(description="An image that stands for an asset: a preview, a thumbnail, a first or last frame.")
class AssetImage(DocumentType):
    asset_id: strawberry.ID | None = wire("Scenario's id of the image, an asset itself.")
    url: URL | None = wire("Where to get it; see `urlExpiresAt`.")
    url_expires_at: datetime | None = wire(
        "When `url` stops working; null when it does not say.", key="url", convert=signed_url_expiry
    )

    @strawberry.field(
        description="The image's own asset. Null when it cannot be read, or there is none.",
        metadata=costs(Refers(MAX_BULK)),
    )
    def asset(self, info: Info) -> Annotated["Asset", strawberry.lazy("gateway.scenario.types")] | None:
        """One call, shared with every other asset that the same step of the request asks for."""
        return info.context.scenario.referred_asset(self.asset_id)
