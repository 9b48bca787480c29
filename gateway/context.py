"""What a request's resolvers reach: its loaders and its journal."""

from dataclasses import dataclass

from gateway.graph.journal import Journal
from gateway.prism.loaders import PrismLoaders
from gateway.scenario.loaders import ScenarioLoaders


@dataclass(frozen=True, slots=True)
class Context:
    """Belongs to one request; made in `app.py`."""

    prism: PrismLoaders
    scenario: ScenarioLoaders
    journal: Journal
