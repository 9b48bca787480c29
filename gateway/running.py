"""Runs the gateway: by one process or several, with their metrics on an address of their own where one is set."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from uvicorn.config import STARTUP_FAILURE

from gateway.app import create_app
from gateway.http.application import App
from gateway.metrics.crew import Crew, check_folder
from gateway.metrics.exposition import metrics_app
from gateway.serving import Served, listen, serve_until_stopped, serve_with_workers, url_of
from gateway.settings import BadSettingsError, Settings
from gateway.tracing import NoTracesError, find_traces

log = logging.getLogger("gateway")


def run_gateway(settings: Settings, workers: int) -> int:
    """Serve until a signal, and give the exit code.

    Raises BadSettingsError, NoTracesError, or ClickException where an address cannot be had.
    """
    begin_traces = find_traces(os.environ)

    def make_app() -> App:
        return create_app(settings, traces=None if begin_traces is None else begin_traces())

    # Of several, each process makes its own: this one only shows that it can be made, and begins nothing.
    app = make_app() if workers == 1 else create_app(settings)
    with ExitStack() as held:
        listener = held.enter_context(
            listen(settings.gateway_host, settings.gateway_port, "GATEWAY_HOST or GATEWAY_PORT")
        )
        log.info("listening on %s/graphql", url_of(listener))
        metrics = Metrics(_metrics_listener(settings, held))
        if workers == 1:
            serve_until_stopped(app, listener, *metrics.of(app))
            return 0
        if metrics.listener is not None:
            metrics.folder = _folder(held)

        def work(listener: socket.socket) -> None:
            own = _made_or_exit(make_app)
            serve_until_stopped(own, listener, *metrics.of(own))

        return serve_with_workers(work, listener, workers, settings.longest_drain)


def _folder(held: ExitStack) -> Path:
    try:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="scan-gateway-")))
        check_folder(folder)
    except OSError as error:
        reason = error.strerror or error  # a path that is too long has no number
        raise click.ClickException(
            f"Workers tell each other their metrics by a temporary folder, and have none ({reason}): set TMPDIR."
        ) from None
    return folder


def _made_or_exit(make_app: Callable[[], App]) -> App:
    """Make a worker's own application, of files that may have changed since the first worker began."""
    try:
        return make_app()
    except BadSettingsError as error:
        for line in error.lines:
            log.error("this worker cannot serve: %s", line)  # noqa: TRY400 - what is wrong is the operator's
        sys.exit(1)
    except NoTracesError as error:
        log.error("this worker cannot serve: %s", error)  # noqa: TRY400 - the same
        sys.exit(STARTUP_FAILURE)  # nor could another: its environment is the same


@dataclass(slots=True)
class Metrics:
    """Where metrics are told, if anywhere, and the folder by which several processes tell each other theirs."""

    listener: socket.socket | None
    folder: Path | None = None

    def of(self, app: App) -> list[Served]:
        """Give what is served beside an application of this process."""
        if self.listener is None:
            return []
        crew = None if self.folder is None else Crew(self.folder, os.getpid())
        return [(metrics_app(app.state.metrics, crew), self.listener)]


def _metrics_listener(settings: Settings, held: ExitStack) -> socket.socket | None:
    if settings.gateway_metrics_port is None:
        return None
    host, port = settings.gateway_metrics_host, settings.gateway_metrics_port
    listener = held.enter_context(listen(host, port, "GATEWAY_METRICS_HOST or GATEWAY_METRICS_PORT"))
    log.info("metrics at %s/metrics", url_of(listener))
    return listener
