"""What a request's resolvers reach: its loaders and its journal."""

import msgspec

from gateway.graph.journal import Journal
from gateway.links.links import Links
from gateway.prism.loaders import PrismLoaders
from gateway.prism.updates import ScanUpdates
from gateway.rates.rates import Rates
from gateway.scenario.loaders import ScenarioLoaders
from gateway.scenario.updates import JobUpdates


class Context(msgspec.Struct, frozen=True):
    """Belongs to one request, or to one event of a subscription; `process.py` makes it."""

    prism: PrismLoaders
    scenario: ScenarioLoaders
    journal: Journal
    scan_updates: ScanUpdates
    job_updates: JobUpdates
    rates: Rates
    links: Links
