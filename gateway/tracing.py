"""Traces, where OpenTelemetry's own variables ask for them; else what makes them is not even imported."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from gateway.spans import Traces

HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")  # the first that is there is taken
ASKING = ("OTEL_TRACES_EXPORTER", *ENDPOINTS)


class NoTracesError(Exception):
    """Traces are asked for, and cannot be made; the message says what to change."""


def are_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment says where spans are to go, and does not say that there shall be none."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in ASKING)


def secrets_in(environment: Mapping[str, str]) -> Iterator[str]:
    """Give the credentials that let spans in where they go: OpenTelemetry logs a header that it cannot read."""
    for header in ",".join(environment.get(name, "") for name in HEADERS).split(","):
        _, _, value = header.replace(":", "=", 1).partition("=")
        secret = (value or header).strip()
        yield from (secret, unquote(secret))


def find_traces(environment: Mapping[str, str]) -> "Callable[[], Traces] | None":
    """Give what begins to trace, in each process for itself; None where nobody asks. Both raise NoTracesError."""
    if not are_wanted(environment):
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    protocol = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    if exporter != "otlp":
        raise NoTracesError(f"OTEL_TRACES_EXPORTER cannot be {exporter}: spans are exported by otlp, or none are.")
    if protocol != "http/protobuf":
        raise NoTracesError(f"OTEL_EXPORTER_OTLP_PROTOCOL cannot be {protocol}: spans are exported by http/protobuf.")
    _check_endpoint(environment)
    try:
        from gateway.spans import exported  # noqa: PLC0415 - OpenTelemetry, which is an extra and takes its time
    except ModuleNotFoundError as error:
        raise NoTracesError(
            "OTEL_… variables ask for traces, and OpenTelemetry is not installed: pip install 'scan-gateway[otel]'."
        ) from error
    except ValueError as error:  # it reads some of them while it is imported
        raise _unusable(error) from error

    def begin() -> "Traces":
        try:
            return exported()
        except (ValueError, RuntimeError) as error:  # as for a credential provider that is not installed
            raise _unusable(error) from error

    return begin


def _check_endpoint(environment: Mapping[str, str]) -> None:
    """Refuse where nothing would arrive, which OpenTelemetry finds out with each export. Raises NoTracesError."""
    name = next((name for name in ENDPOINTS if environment.get(name)), None)
    if name is not None and not _is_web_address(environment[name]):
        raise NoTracesError(f"{name} cannot be used: it must be an address such as http://collector:4318.")


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


def _unusable(error: ValueError | RuntimeError) -> NoTracesError:
    return NoTracesError(f"OTEL_… variables cannot be used: {error}")
