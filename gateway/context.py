"""What a request's resolvers reach: its loaders and its journal."""

from dataclasses import dataclass

from gateway.graph.journal import Journal
from gateway.prism.loaders import PrismLoaders
from gateway.prism.updates import ScanUpdates
from gateway.scenario.loaders import ScenarioLoaders
from gateway.scenario.updates import JobUpdates


@dataclass(frozen=True, slots=True)
class Context:
    """Belongs to one request, or to one event of a subscription; made in `app.py`."""

    prism: PrismLoaders
    scenario: ScenarioLoaders
    journal: Journal
    scan_updates: ScanUpdates
    job_updates: JobUpdates
