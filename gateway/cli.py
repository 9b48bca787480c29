"""The command line: each command reads its arguments and calls one function."""

import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

import click

from gateway import __version__
from gateway.auth.api_keys import keep_key, new_key
from gateway.auth.caller import DEFAULT_TENANT, Caller
from gateway.auth.scopes import SCOPES, is_confined
from gateway.bench.run import run_bench
from gateway.demo import run_demo, run_sandbox
from gateway.environment import ENV_FILE, misspelt, read_settings
from gateway.federation import sdl
from gateway.http import graphiql
from gateway.lexer import SURROGATE
from gateway.logs import configure_logging
from gateway.running import run_gateway
from gateway.schema import build_schema, schema
from gateway.settings import BadSettingsError
from gateway.tenant_settings import NO_NAME, TENANT_NAME
from gateway.tracing import NoTracesError, secrets_in

log = logging.getLogger("gateway")

T = TypeVar("T")

PORT = click.IntRange(0, 65_535)


def _utf_8(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Refuse what came in other bytes, which no file of ours can hold."""
    if SURROGATE.search(value or ""):
        raise click.BadParameter("It must be UTF-8.")
    return value


@click.group(help="One GraphQL endpoint over Prism's body scans and Scenario's assets.")
@click.version_option(__version__)
def main() -> None:
    """Do nothing by itself."""


@main.command(help="Serve the gateway, with settings from the environment or a file.")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False),
    show_default=".env, where there is one",
    help="Where else settings may stand.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), show_default="GATEWAY_WORKERS, or 1", help="How many processes answer."
)
def serve(env_file: str | None, workers: int | None) -> None:
    """Start, or say in a line for each setting why not."""
    env_file = env_file or ENV_FILE
    settings = _or_exit(partial(read_settings, env_file))
    secrets = [*settings.secrets, *secrets_in(os.environ)]
    configure_logging(settings.gateway_log_level, settings.gateway_log_format, secrets)
    for line in misspelt(env_file):
        log.warning(line)
    if settings.shows_graphiql and not graphiql.is_built():
        log.info("GraphiQL is not built, so browsers get a plain console; `make graphiql` builds it (needs Node)")
    sys.exit(_or_exit(partial(run_gateway, settings, workers or settings.gateway_workers)))


@main.command(help="Serve the gateway with both upstreams simulated beside it, and show what a query answers.")
@click.option(
    "--port", type=PORT, default=8000, show_default=True, help="Where the gateway listens; 0 is any free port."
)
@click.option(
    "--sandbox-port", type=PORT, default=8001, show_default=True, help="Where the simulated upstreams listen."
)
@click.option("--once", is_flag=True, help="Stop after the query.")
def demo(port: int, sandbox_port: int, *, once: bool) -> None:
    """Run until interrupted."""
    configure_logging("warning")
    run_demo(port, sandbox_port, once=once)


@main.command(help="Serve both upstreams, simulated.")
@click.option("--port", type=PORT, default=8001, show_default=True, help="Where they listen.")
@click.option("--seed", default=1, show_default=True, help="What their data is made from.")
def sandbox(port: int, seed: int) -> None:
    """Run until interrupted."""
    configure_logging("warning")
    run_sandbox(port, seed)


@main.command(help="Measure CPU a query, memory and requests a second, beside stock execution and a bare server.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 60),
    default=1.5,
    show_default=True,
    help="How long each figure is measured.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 32),
    default=32,
    show_default=True,
    help="How many ask at once over sockets.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of tables.")
@click.option("--sockets/--no-sockets", default=True, show_default=True, help="Measure over sockets too.")
def bench(seconds: float, connections: int, *, as_json: bool, sockets: bool) -> None:
    """Take about two minutes."""
    configure_logging("error")
    run_bench(seconds, connections, as_json=as_json, sockets=sockets)


@main.command("schema", help="Print the schema, or write it to a file.")
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", help="The file to write.")
@click.option("--federation", is_flag=True, help="Print it as a subgraph of Apollo Federation 2.")
@click.option("--incremental", is_flag=True, help="Print it with @defer and @stream, as GATEWAY_INCREMENTAL serves it.")
def print_schema(output: TextIO, *, federation: bool, incremental: bool) -> None:
    """Print what `schema.graphql` holds, or what a subgraph's `_service` answers, or what clients compile against."""
    if federation and incremental:
        raise click.UsageError("--federation and --incremental exclude each other: a router defers by itself.")
    graph = build_schema(is_incremental=True) if incremental else schema
    output.write(f"{sdl() if federation else graph.as_str()}\n")


@main.group("key", help="Make API keys.")
def keys() -> None:
    """Do nothing by itself."""


@keys.command("new", help="Make an API key and show it, this once; the file keeps a hash of it.")
@click.option("--name", required=True, callback=_utf_8, help="Whose it is, for whoever reads the file.")
@click.option(
    "--scopes",
    required=True,
    multiple=True,
    type=click.Choice(list(SCOPES)),
    help="What it is good for; may be given more than once. `*` is everything.",
)
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, callback=_utf_8, help="For whom it is.")
@click.option("--owner", callback=_utf_8, help="With scans:read:own: the `userToken` of the scans that it sees.")
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="When it ends, in UTC; else never."
)
@click.option(
    "--file",
    "path",
    required=True,
    envvar="GATEWAY_API_KEYS",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that keeps it; made where there is none.",
)
def new_api_key(
    name: str, *, scopes: tuple[str, ...], tenant: str, owner: str | None, expires: datetime | None, path: Path
) -> None:
    """Add a line to the file."""
    ends = None if expires is None else expires.replace(tzinfo=UTC)
    key, stored = new_key(name, scopes, tenant, owner, ends)
    _check(stored.caller())
    try:
        keep_key(path, stored)
    except OSError as error:
        raise click.ClickException(f"Cannot write {path}: {error.strerror}.") from None
    click.echo(key)
    click.echo(f"{path} keeps a hash of it; this is the only time that it is shown.", err=True)


def _check(caller: Caller) -> None:
    """Let nobody make a key that is good for nothing, or sees other scans than its words suggest."""
    if not TENANT_NAME.fullmatch(caller.tenant):
        raise click.BadParameter(NO_NAME, param_hint="'--tenant'")
    sees_own = "scans:read:own" in caller.scopes and is_confined(caller)
    if sees_own and not caller.owner:
        raise click.UsageError("scans:read:own takes --owner: the `userToken` of the scans that the key sees.")
    if caller.owner is not None and not sees_own:
        raise click.UsageError("--owner is for scans:read:own, beside which no other scope may show every scan.")
    if caller.expires_at <= time.time():
        raise click.BadParameter("This is past.", param_hint="'--expires'")


def _or_exit(make: Callable[[], T]) -> T:
    """Make something of the settings, or end with a line for each that is missing or bad."""
    try:
        return make()
    except BadSettingsError as error:
        for line in error.lines:
            click.echo(line, err=True)
    except NoTracesError as error:
        click.echo(error, err=True)
    sys.exit(2)
