"""What the resolvers that join both sources need of a request."""

from typing import Protocol

import strawberry

from gateway.links.links import Links
from gateway.prism.context import PrismContext
from gateway.scenario.context import ScenarioContext


class LinksContext(PrismContext, ScenarioContext, Protocol):
    """The part of the request's context that they see."""

    @property
    def links(self) -> Links:
        """What the tenant's links go by."""


Info = strawberry.Info[LinksContext, None]
