"""The command line: what each command prints, and what it says when it cannot do its work."""

import json
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import gateway
from gateway.cli import main
from gateway.federation import sdl
from gateway.sandbox import Sandbox
from gateway.schema import build_schema
from gateway.serving import listen
from gateway.settings import Settings
from tests.processes import run, running

SCHEMA = Path(__file__).parent.parent / "schema.graphql"
ENOUGH = {"PRISM_API_KEY": "prism-key", "SCENARIO_API_KEY": "key", "SCENARIO_API_SECRET": "secret"}
SANDBOXED = {
    "PRISM_API_KEY": Sandbox.prism_api_key,
    "SCENARIO_API_KEY": Sandbox.scenario_api_key,
    "SCENARIO_API_SECRET": Sandbox.scenario_api_secret,
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The empty folder in which a command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with listen("127.0.0.1", 0, "nothing") as listener:
        port: int = listener.getsockname()[1]
        yield port


def invoke(*arguments: str, **settings: str) -> Result:
    """Run a command in this process with these settings and no other."""
    nothing: dict[str, str | None] = {name.upper(): None for name in Settings.model_fields}
    return CliRunner().invoke(main, arguments, env={**nothing, **settings}, prog_name="gateway")


def test_version_is_the_packages() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.output) == (0, f"gateway, version {gateway.__version__}\n")


def test_help_names_every_command() -> None:
    assert list(main.commands) == ["serve", "demo", "sandbox", "bench", "schema", "key"]
    assert all(f"\n  {name} " in invoke("--help").output for name in main.commands)


def test_schema_prints_schema_graphql_byte_for_byte(folder: Path) -> None:
    printed = run("schema", folder=folder)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == SCHEMA.read_text(encoding="utf-8"), "run: gateway schema --output schema.graphql"


def test_schema_writes_the_same_to_a_file(folder: Path) -> None:
    result = invoke("schema", "--output", "printed.graphql")
    assert (result.exit_code, result.output) == (0, "")
    assert (folder / "printed.graphql").read_bytes() == SCHEMA.read_bytes()


def test_schema_prints_the_subgraph_that_a_router_is_answered(folder: Path) -> None:
    printed = run("schema", "--federation", folder=folder)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == f"{sdl()}\n"


def test_schema_prints_the_directives_that_answers_in_parts_take(folder: Path) -> None:
    printed = run("schema", "--incremental", folder=folder).stdout
    assert printed == f"{build_schema(is_incremental=True).as_str()}\n"
    own, _, types = SCHEMA.read_text(encoding="utf-8").partition("on FIELD_DEFINITION\n")
    assert printed.startswith(own)
    assert printed.endswith(types)
    added = printed.removeprefix(own).removesuffix(types).splitlines()
    assert [line for line in added if line.startswith("directive")] == ["directive @defer(", "directive @stream("]
    both = invoke("schema", "--incremental", "--federation")
    assert (both.exit_code, both.stderr.splitlines()[-1]) == (
        2,
        "Error: --federation and --incremental exclude each other: a router defers by itself.",
    )


def test_schema_says_which_file_it_cannot_write() -> None:
    result = invoke("schema", "--output", "nowhere/printed.graphql")
    assert result.exit_code == 1
    assert result.stderr == "Error: Could not open file 'nowhere/printed.graphql': No such file or directory\n"


def test_serve_without_settings_ends_with_2_and_a_line_for_each(folder: Path) -> None:
    refused = run("serve", folder=folder, settings={"GATEWAY_PORT": "http"})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines() == [
        "PRISM_API_KEY is missing: The Bearer key that Prism issued.",
        "SCENARIO_API_KEY and SCENARIO_API_SECRET are missing; SCENARIO_JWT or SCENARIO_PUBLIC=true would do too.",
        (
            "GATEWAY_PORT cannot be used: Input should be a valid integer, unable to parse string as an integer."
            " The port to listen on; 0 is any free one."
        ),
    ]


def test_serve_reads_the_env_file_of_its_folder_or_the_one_it_is_given(folder: Path) -> None:
    (folder / ".env").write_text("PRISM_API_KEY=a\n", encoding="utf-8")
    (folder / "other.env").write_text("SCENARIO_JWT=a\n", encoding="utf-8")
    assert [line.split()[0] for line in invoke("serve").stderr.splitlines()] == ["SCENARIO_API_KEY"]
    given = invoke("serve", "--env-file", "other.env")
    assert [line.split()[0] for line in given.stderr.splitlines()] == ["PRISM_API_KEY"]


def test_serve_says_when_the_env_file_it_is_given_is_not_there() -> None:
    result = invoke("serve", "--env-file", "nowhere.env", **ENOUGH)
    assert result.exit_code == 2
    assert "Error: Invalid value for '--env-file': File 'nowhere.env' does not exist." in result.stderr


def test_serve_says_when_its_port_is_taken(taken: int) -> None:
    result = invoke("serve", **ENOUGH, GATEWAY_PORT=str(taken), GATEWAY_LOG_LEVEL="error")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Cannot listen on 127.0.0.1:{taken}: Address already in use."
        " Choose another with GATEWAY_HOST or GATEWAY_PORT.\n"
    )


def test_serve_warns_of_a_setting_that_is_none(taken: int, folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_MAX_DEPHT=5\n", encoding="utf-8")
    result = invoke("serve", **ENOUGH, GATEWAY_PORT=str(taken))
    assert result.exit_code == 1
    assert "GATEWAY_MAX_DEPHT is no setting; GATEWAY_MAX_DEPTH may be meant." in result.stderr


def test_serve_that_lacks_a_setting_says_which_name_may_be_meant_for_it(folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_TENANT_FILE=tenants.toml\n", encoding="utf-8")
    refused = invoke("serve", GATEWAY_AUHT="pass-through")
    assert (refused.exit_code, refused.stderr.splitlines()) == (
        2,
        [
            "PRISM_API_KEY is missing: The Bearer key that Prism issued.",
            "SCENARIO_API_KEY and SCENARIO_API_SECRET are missing; SCENARIO_JWT or SCENARIO_PUBLIC=true would do too.",
            "GATEWAY_AUHT is no setting; GATEWAY_AUTH may be meant.",
            "GATEWAY_TENANT_FILE is no setting; GATEWAY_TENANTS_FILE may be meant.",
        ],
    )


NO_FOLDER = "Workers tell each other their metrics by a temporary folder, and have none"


def test_serve_needs_a_temporary_folder_for_the_metrics_of_workers_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    result = invoke("serve", "--workers", "2", **ENOUGH, GATEWAY_PORT="0", GATEWAY_METRICS_PORT="0")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        f"Error: {NO_FOLDER} (No such file or directory): set TMPDIR.",
    )
    settings = {**ENOUGH, "GATEWAY_PORT": "0", "GATEWAY_DRAIN_GRACE": "0", "TMPDIR": str(folder)}
    with running("serve", "--workers", "2", folder=folder, settings=settings) as process:
        process.wait_for("(accepting requests)")
        assert list(folder.iterdir()) == []
        assert process.stop(signal.SIGTERM)[0] == 0


def test_serve_says_when_the_temporary_folder_is_too_deep_for_the_sockets_of_workers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = folder / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    result = invoke("serve", "--workers", "2", **ENOUGH, GATEWAY_PORT="0", GATEWAY_METRICS_PORT="0")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        f"Error: {NO_FOLDER} (AF_UNIX path too long): set TMPDIR.",
    )
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_serve_says_when_its_host_is_none(host: str) -> None:
    result = invoke("serve", **SANDBOXED, GATEWAY_HOST=host, GATEWAY_LOG_LEVEL="error")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Cannot listen on {host}:8000: ")
    assert result.stderr.endswith(". Choose another with GATEWAY_HOST or GATEWAY_PORT.\n")


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("demo --sandbox-port 0 --port", "--port"),
        ("demo --port 0 --sandbox-port", "--sandbox-port"),
        ("sandbox --port", "--port"),
    ],
)
def test_demo_and_sandbox_say_which_option_changes_a_taken_port(command: str, option: str, taken: int) -> None:
    result = invoke(*command.split(), str(taken))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Cannot listen on 127.0.0.1:{taken}: Address already in use. Choose another with {option}.\n"
    )


def test_demo_does_not_listen_twice_on_one_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = invoke("demo", "--port", str(port), "--sandbox-port", str(port))
    assert result.exit_code == 1
    assert result.stderr.endswith(" Choose another with --sandbox-port.\n")


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_port_beyond_all_ports_is_a_usage_error(command: str) -> None:
    result = invoke(command, "--port", "65536")
    assert result.exit_code == 2
    assert "Error: Invalid value for '--port': 65536 is not in the range 0<=x<=65535." in result.stderr


def test_sandbox_prints_what_a_gateway_needs_to_use_it(folder: Path) -> None:
    with running("sandbox", "--port", "0", folder=folder) as process:
        url = process.wait_for(r"Scenario +(\S+)/scenario/v1 ")
        assert process.lines == [
            f"Prism     {url}/prism         PRISM_API_KEY={Sandbox.prism_api_key}\n",
            (
                f"Scenario  {url}/scenario/v1   SCENARIO_API_KEY={Sandbox.scenario_api_key}"
                f" SCENARIO_API_SECRET={Sandbox.scenario_api_secret}\n"
            ),
        ]


def test_key_new_shows_a_key_once_and_keeps_what_it_is_good_for(folder: Path) -> None:
    scopes = ("--scopes", "scans:read:own", "--scopes", "assets:read")
    ends = ("--expires", "2030-01-31", "--tenant", "acme", "--owner", "user-1")
    result = invoke("key", "new", "--name", "A phone", *scopes, *ends, "--file", "keys.jsonl")
    again = invoke("key", "new", "--name", "A robot", "--scopes", "*", GATEWAY_API_KEYS="keys.jsonl")
    assert (result.exit_code, again.exit_code) == (0, 0)
    assert result.stderr == "keys.jsonl keeps a hash of it; this is the only time that it is shown.\n"
    text = (folder / "keys.jsonl").read_text(encoding="utf-8")
    first, second = (json.loads(line) for line in text.splitlines())
    _, id_, secret = result.stdout.strip().split("_", 2)
    assert secret not in text
    assert {key: value for key, value in first.items() if key != "hash"} == {
        "id": id_,
        "name": "A phone",
        "scopes": ["scans:read:own", "assets:read"],
        "tenant": "acme",
        "owner": "user-1",
        "expires": "2030-01-31T00:00:00Z",
    }
    assert (second.keys(), second["scopes"]) == ({"id", "name", "hash", "scopes"}, ["*"])


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("--scopes", "scans"), "Invalid value for '--scopes': 'scans' is not one of 'scans:read', "),
        (("--scopes", "*", "--expires", "soon"), "Invalid value for '--expires': 'soon' does not match the formats "),
        ((), "Missing option '--scopes'."),
        (("--scopes", "*", "--expires", "2026-01-31"), "Invalid value for '--expires': This is past."),
        (("--scopes", "scans:read:own"), "scans:read:own takes --owner: the `userToken` of the scans that the key "),
        (("--scopes", "scans:read:own", "--owner", ""), "scans:read:own takes --owner: "),
        (("--scopes", "scans:read", "--owner", "user-1"), "--owner is for scans:read:own, beside which no other "),
        (
            ("--scopes", "scans:read:own", "--scopes", "*", "--owner", "user-1"),
            "--owner is for scans:read:own, beside which no other scope may show every scan.",
        ),
        (
            ("--scopes", "*", "--tenant", "Acme Inc."),
            "'--tenant': a tenant's name is of letters, digits, `_` and `-`, at most 63.",
        ),
        (
            ("--scopes", "*", "--tenant", ""),
            "'--tenant': a tenant's name is of letters, digits, `_` and `-`, at most 63.",
        ),
    ],
)
def test_key_new_makes_nothing_of_what_it_does_not_understand(
    given: tuple[str, ...], complaint: str, folder: Path
) -> None:
    result = invoke("key", "new", "--name", "a", "--file", "keys.jsonl", *given)
    assert (result.exit_code, complaint in result.stderr, list(folder.iterdir())) == (2, True, [])


@pytest.mark.parametrize("option", ["--name", "--tenant", "--owner"])
def test_key_new_makes_nothing_of_what_is_no_utf_8(option: str, folder: Path) -> None:
    given = ("--name", "a", "--scopes", "*", "--file", "keys.jsonl", option, "Jos\udce9")  # as Python reads Latin-1
    result = invoke("key", "new", *given)
    assert (result.exit_code, list(folder.iterdir())) == (2, [])
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '{option}': It must be UTF-8."


def test_key_new_says_when_it_cannot_write() -> None:
    result = invoke("key", "new", "--name", "a", "--scopes", "*", "--file", "nowhere/keys.jsonl")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Cannot write nowhere/keys.jsonl: No such file or directory.\n",
    )


@pytest.mark.parametrize("seconds", ["-1", "0", "1e9"])
def test_bench_refuses_what_is_no_time_to_measure_in(seconds: str) -> None:
    result = invoke("bench", "--seconds", seconds)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '--seconds': {float(seconds)} is not in the range 0.01<=x<=60." in result.stderr
