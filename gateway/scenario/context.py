"""What Scenario's resolvers need of a request."""

from typing import TYPE_CHECKING, Protocol

import strawberry

if TYPE_CHECKING:
    from gateway.scenario.loaders import ScenarioLoaders
    from gateway.scenario.updates import JobUpdates


class ScenarioContext(Protocol):
    """The part of the request's context that Scenario's resolvers see."""

    @property
    def scenario(self) -> "ScenarioLoaders":
        """What the request loads from Scenario."""

    @property
    def job_updates(self) -> "JobUpdates":
        """Where download jobs are subscribed to."""


Info = strawberry.Info[ScenarioContext, None]
