"""The command line: each command reads its arguments and calls one function."""

import logging
import sys
from pathlib import Path

import click
import uvicorn

from gateway import __version__
from gateway.app import create_app
from gateway.demo import run_demo, run_sandbox
from gateway.http import graphiql
from gateway.schema import schema
from gateway.settings import BadSettingsError, Settings, read_settings

log = logging.getLogger("gateway")


@click.group(help="One GraphQL endpoint over Prism's body scans and Scenario's assets.")
@click.version_option(__version__)
def main() -> None:
    """Do nothing by itself."""


@main.command(help="Serve the gateway, with settings from the environment or a .env file.")
@click.option("--env-file", default=".env", show_default=True, help="Where else settings may stand.")
def serve(env_file: str) -> None:
    """Start, or say in a line for each setting why not."""
    settings = _settings(env_file)
    configure_logging(settings.gateway_log_level)
    if settings.gateway_graphiql and not graphiql.is_built():
        log.info("GraphiQL is not built, so browsers get a plain console; `make graphiql` builds it (needs Node)")
    uvicorn.run(
        create_app(settings),
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_level=settings.gateway_log_level,
        access_log=False,
        server_header=False,
    )


@main.command(help="Serve the gateway with both upstreams simulated beside it, and show what a query answers.")
@click.option("--port", default=8000, show_default=True, help="Where the gateway listens.")
@click.option("--sandbox-port", default=8001, show_default=True, help="Where the simulated upstreams listen.")
@click.option("--once", is_flag=True, help="Stop after the query.")
def demo(port: int, sandbox_port: int, *, once: bool) -> None:
    """Run until interrupted."""
    configure_logging("warning")
    sys.exit(run_demo(port, sandbox_port, once=once))


@main.command(help="Serve both upstreams, simulated.")
@click.option("--port", default=8001, show_default=True, help="Where they listen.")
@click.option("--seed", default=1, show_default=True, help="What their data is made from.")
def sandbox(port: int, seed: int) -> None:
    """Run until interrupted."""
    configure_logging("info")
    sys.exit(run_sandbox(port, seed))


@main.command("schema", help="Print the schema, or write it to a file.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
def print_schema(output: Path | None) -> None:
    """Print what `schema.graphql` holds."""
    text = f"{schema.as_str()}\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def configure_logging(level: str) -> None:
    """Log to standard error. httpx's own line for each request is left out: it shows query strings."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _settings(env_file: str) -> Settings:
    try:
        return read_settings(env_file)
    except BadSettingsError as error:
        for line in error.lines:
            click.echo(line, err=True)
        sys.exit(2)
