"""The metrics of a gateway as a test reads them: samples by name and labels."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric

from gateway.http.application import App

Samples = dict[str, dict[tuple[str, ...], float]]


def told_by(registry: CollectorRegistry) -> Samples:
    """What a registry tells."""
    return samples_of(registry.collect())


def samples_of(metrics: Iterable[Metric]) -> Samples:
    """Every sample by its name, then by the values of its labels in the order of their names."""
    samples: Samples = {}
    for metric in metrics:
        for sample in metric.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            samples.setdefault(sample.name, {})[labels] = sample.value
    return samples


def metrics_of(app: App) -> Samples:
    """What a gateway tells, without the `scan_gateway_` of its own metrics."""
    return {name.removeprefix("scan_gateway_"): values for name, values in told_by(app.state.metrics).items()}


def counted(app: App, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one metric that are not 0."""
    return {labels: value for labels, value in metrics_of(app).get(name, {}).items() if value}
