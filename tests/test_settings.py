"""Settings: where they come from, what is told of those that cannot be used, and that they are documented."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from gateway.environment import misspelt, read_settings
from gateway.settings import BadSettingsError, Settings

ROOT = Path(__file__).parent.parent
ENOUGH = {"PRISM_API_KEY": "prism-key", "SCENARIO_API_KEY": "scenario-key", "SCENARIO_API_SECRET": "scenario-secret"}
FILLED_IN = ENOUGH.keys()  # what a new .env has room for


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def read(environment: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return read_settings(env_file=None)


def problems(environment: pytest.MonkeyPatch, **variables: str) -> list[str]:
    with pytest.raises(BadSettingsError) as caught:
        read(environment, **variables)
    assert str(caught.value) == "\n".join(caught.value.lines)
    return caught.value.lines


def test_the_keys_are_all_it_needs(environment: pytest.MonkeyPatch) -> None:
    settings = read(environment, **ENOUGH)
    assert str(settings.prism_url) == "https://api.hosted.prismlabs.tech/"
    assert str(settings.scenario_url) == "https://api.cloud.scenario.com/v1"
    assert settings.prism_api_key is not None
    assert settings.prism_api_key.get_secret_value() == "prism-key"
    assert (settings.gateway_host, settings.gateway_port) == ("127.0.0.1", 8000)


def test_without_any_setting_both_credentials_are_missing(environment: pytest.MonkeyPatch) -> None:
    assert problems(environment) == [
        "PRISM_API_KEY is missing: The Bearer key that Prism issued.",
        "SCENARIO_API_KEY and SCENARIO_API_SECRET are missing; SCENARIO_JWT or SCENARIO_PUBLIC=true would do too.",
    ]


def test_every_problem_is_told_at_once_in_a_line_of_its_own(environment: pytest.MonkeyPatch) -> None:
    told = problems(
        environment,
        PRISM_URL="api.hosted.prismlabs.tech",
        SCENARIO_URL="ftp://scenario.test",
        SCENARIO_API_KEY="scenario-key",
        GATEWAY_PORT="70000",
        GATEWAY_GRAPHIQL="perhaps",
        GATEWAY_LOG_LEVEL="loud",
        GATEWAY_UPSTREAM_TIMEOUT="0",
        GATEWAY_CACHE_BYTES="128 MiB",
        GATEWAY_FRESH_PAGE="-1",
        GATEWAY_STALE_PAGE="inf",
    )
    assert told == [
        (
            "PRISM_URL cannot be used: Input should be a valid URL, relative URL without a base."
            " Where Prism's Hosted API is."
        ),
        "PRISM_API_KEY is missing: The Bearer key that Prism issued.",
        "SCENARIO_URL cannot be used: URL scheme should be 'http' or 'https'. Where Scenario's API is.",
        "SCENARIO_API_KEY and SCENARIO_API_SECRET go together; one of them is missing.",
        (
            "GATEWAY_PORT cannot be used: Input should be less than or equal to 65535."
            " The port to listen on; 0 is any free one."
        ),
        (
            "GATEWAY_GRAPHIQL cannot be used: Input should be a valid boolean, unable to interpret input."
            " Serve GraphiQL to browsers at `/graphql`; when left out, where it listens on loopback."
        ),
        (
            "GATEWAY_LOG_LEVEL cannot be used: Input should be 'debug', 'info', 'warning' or 'error'."
            " The lowest level that is logged: debug, info, warning or error."
        ),
        (
            "GATEWAY_UPSTREAM_TIMEOUT cannot be used: Input should be greater than 0."
            " How long one upstream request may take."
        ),
        (
            "GATEWAY_CACHE_BYTES cannot be used: Input should be a valid integer, unable to parse string as an integer."
            " How large the document cache may grow."
        ),
        (
            "GATEWAY_FRESH_PAGE cannot be used: Input should be greater than or equal to 0."
            " A page of assets: fresh for; never past its URLs' expiry."
        ),
        (
            "GATEWAY_STALE_PAGE cannot be used: Input should be a finite number."
            " A page of assets: served stale for, while one refresh runs."
        ),
    ]


def test_what_begins_as_a_setting_and_is_none_is_told_with_what_may_be_meant(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "settings.env"
    file.write_text("GATEWAY_FRESH_PAGES=5\nGATEWAY_PORT=8000\nOTHER=1\n", encoding="utf-8")
    environment.setenv("gateway_max_depht", "5")
    environment.setenv("GATEWAY_QQ", "")
    assert list(misspelt(str(file))) == [
        "GATEWAY_FRESH_PAGES is no setting; GATEWAY_FRESH_PAGE may be meant.",
        "GATEWAY_MAX_DEPHT is no setting; GATEWAY_MAX_DEPTH may be meant.",
        "GATEWAY_QQ is no setting.",
    ]
    assert list(misspelt("nowhere.env")) == [
        "GATEWAY_MAX_DEPHT is no setting; GATEWAY_MAX_DEPTH may be meant.",
        "GATEWAY_QQ is no setting.",
    ]


UNREADABLE = Path("/proc/self/mem")  # whoever asks, which is root where tests run in a container


@pytest.mark.skipif(not UNREADABLE.exists(), reason="nothing here is there and cannot be read by anybody")
def test_a_file_that_cannot_be_read_is_told_in_a_line() -> None:
    with pytest.raises(BadSettingsError) as caught:
        read_settings(str(UNREADABLE))
    assert caught.value.lines == ["/proc/self/mem cannot be read: Input/output error."]


@pytest.mark.parametrize("name", ["GATEWAY_HEARTBEAT", "GATEWAY_DRAIN_GRACE", "GATEWAY_DRAIN_TIMEOUT"])
def test_what_the_system_is_told_to_wait_for_is_a_day_at_most(name: str, environment: pytest.MonkeyPatch) -> None:
    about = Settings.model_fields[name.lower()].description
    assert problems(environment, **ENOUGH, **{name: "31536000"}) == [
        f"{name} cannot be used: Input should be less than or equal to 86400. {about}"
    ]
    assert getattr(read(environment, **ENOUGH, **{name: "86400"}), name.lower()) == 86_400


ORIGINS = "It may hold origins as https://app.example, in small letters and between spaces"
HOSTS = "It may hold names of hosts without ports, in small letters and between spaces"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("GATEWAY_ORIGINS", "https://app.test/", ORIGINS),
        ("GATEWAY_ORIGINS", "https://app.test,https://admin.test", ORIGINS),
        ("GATEWAY_ORIGINS", "https://admin.test https://App.test", ORIGINS),
        ("GATEWAY_WEBSOCKET_ORIGINS", "app.test", ORIGINS),
        ("GATEWAY_HOSTS", "app.test:8000", HOSTS),
        ("GATEWAY_HOSTS", "https://app.test", HOSTS),
        ("GATEWAY_HOSTS", "admin.test,app.test", HOSTS),
        ("GATEWAY_HOSTS", "App.test", HOSTS),
        ("GATEWAY_HOSTS", "[::1]:8000", HOSTS),
        ("GATEWAY_HOSTS", "*", HOSTS),
    ],
)
def test_what_no_browser_sends_is_no_origin_and_no_name_of_a_host(
    name: str, value: str, complaint: str, environment: pytest.MonkeyPatch
) -> None:
    about = Settings.model_fields[name.lower()].description
    assert problems(environment, **ENOUGH, **{name: value}) == [f"{name} cannot be used: {complaint}. {about}"]


@pytest.mark.parametrize("value", ["*", "null", "https://app.test", "http://[::1]:8000", "chrome-extension://abc"])
def test_what_browsers_send_is_an_origin(value: str, environment: pytest.MonkeyPatch) -> None:
    assert read(environment, **ENOUGH, GATEWAY_ORIGINS=value).gateway_origins == value


@pytest.mark.parametrize("value", ["app.test", "localhost 127.0.0.1 [::1]"])
def test_hosts_are_named_without_their_ports(value: str, environment: pytest.MonkeyPatch) -> None:
    assert read(environment, **ENOUGH, GATEWAY_HOSTS=value).gateway_hosts == value


@pytest.mark.parametrize("only", ["SCENARIO_API_KEY", "SCENARIO_API_SECRET"])
@pytest.mark.parametrize("other", [{}, {"SCENARIO_JWT": "token"}, {"SCENARIO_PUBLIC": "true"}])
def test_half_a_pair_is_refused_whatever_else_is_given(
    only: str, other: dict[str, str], environment: pytest.MonkeyPatch
) -> None:
    assert problems(environment, PRISM_API_KEY="prism-key", **{only: "half"}, **other) == [
        "SCENARIO_API_KEY and SCENARIO_API_SECRET go together; one of them is missing."
    ]


@pytest.mark.parametrize("instead", [{"SCENARIO_JWT": "token"}, {"SCENARIO_PUBLIC": "true"}])
def test_a_token_or_public_assets_do_instead_of_the_pair(
    instead: dict[str, str], environment: pytest.MonkeyPatch
) -> None:
    assert read(environment, PRISM_API_KEY="prism-key", **instead).scenario_api_key is None


@pytest.mark.parametrize("value", ["hush\n", "hush hush", "hush\r\nx-other: 1", "hüsh", "hush\x7f"])
def test_a_secret_that_fits_no_header_is_told_without_being_shown(value: str, environment: pytest.MonkeyPatch) -> None:
    told = problems(environment, **{**ENOUGH, "PRISM_API_KEY": value, "SCENARIO_API_SECRET": value})
    assert told == [
        (
            "PRISM_API_KEY cannot be used: It must be ASCII without spaces and line breaks."
            " The Bearer key that Prism issued."
        ),
        (
            "SCENARIO_API_SECRET cannot be used: It must be ASCII without spaces and line breaks."
            " The secret of `SCENARIO_API_KEY`."
        ),
    ]


def test_no_bad_value_is_ever_shown(environment: pytest.MonkeyPatch) -> None:
    told = problems(environment, **{name.upper(): "h ush" for name in Settings.model_fields})
    assert told
    assert "ush" not in "".join(told)


def test_settings_show_no_secret(environment: pytest.MonkeyPatch) -> None:
    secrets = {**ENOUGH, "SCENARIO_JWT": "token"}
    shown = repr(read(environment, **secrets))
    assert "prism_api_key=SecretStr('**********')" in shown
    assert not [value for value in secrets.values() if f"'{value}'" in shown]


def test_an_empty_value_is_one_left_out(environment: pytest.MonkeyPatch) -> None:
    settings = read(environment, **ENOUGH, SCENARIO_PROJECT_ID="", SCENARIO_JWT="", GATEWAY_PORT="", PRISM_URL="")
    assert settings == read(environment, **ENOUGH)
    assert problems(environment, PRISM_API_KEY="") == ["PRISM_API_KEY is missing: The Bearer key that Prism issued."]


def test_a_file_is_read_and_the_environment_wins_over_it(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [*(f"{name}={value}" for name, value in ENOUGH.items()), "GATEWAY_PORT=9000", "OTHER=1", "#PRISM_URL=no"]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    environment.chdir(tmp_path)
    environment.setenv("PRISM_API_KEY", "prism-key-of-the-environment")
    settings = read_settings()
    assert settings.prism_api_key is not None
    assert settings.prism_api_key.get_secret_value() == "prism-key-of-the-environment"
    assert settings.scenario_api_key is not None
    assert settings.scenario_api_key.get_secret_value() == "scenario-key"
    assert settings.gateway_port == 9000


def test_a_file_of_another_name_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "production.env").write_text("\n".join(f"{name}={value}" for name, value in ENOUGH.items()))
    key = read_settings(str(tmp_path / "production.env")).prism_api_key
    assert key is not None
    assert key.get_secret_value() == "prism-key"


def test_what_is_given_wins_over_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_PORT", "9000")
    given = {name.lower(): value for name, value in ENOUGH.items()}
    assert read_settings(env_file=None, **given, gateway_port=9001).gateway_port == 9001


def test_settings_made_in_code_know_no_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_PORT", "9000")
    assert Settings.model_validate({"prism_api_key": "a", "scenario_public": True}).gateway_port == 8000


def test_settings_are_frozen(environment: pytest.MonkeyPatch) -> None:
    settings = read(environment, **ENOUGH)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        settings.gateway_port = 1


def default_of(field: FieldInfo) -> str | None:
    """A default as it would be written in the environment; None where there is none."""
    if field.is_required() or field.default is None:
        return None
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default).removesuffix("/")


def row(name: str, field: FieldInfo) -> str:
    """The row of the README's table for a setting."""
    default = default_of(field)
    shown = "required" if field.is_required() else "none" if default is None else f"`{default}`"
    return f"| `{name.upper()}` | {shown} | {field.description} |"


def test_the_readme_has_a_row_for_every_setting() -> None:
    table = ["| Setting | Default | What it is |", "|---|---|---|"]
    table += [row(name, field) for name, field in Settings.model_fields.items()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    missing = [line for line in table[2:] if line not in readme]
    assert not missing, "\n".join(["README.md's table of settings should be:", "", *table])


def test_the_readme_has_no_row_for_a_setting_that_is_gone() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in readme if line.startswith(("| `PRISM_", "| `SCENARIO_", "| `GATEWAY_"))]
    known = [row(name, field) for name, field in Settings.model_fields.items()]
    assert [line for line in rows if line not in known] == []


def example_of(name: str, field: FieldInfo) -> str:
    """The lines of .env.example for a setting: its description, and its variable with the default."""
    variable = f"{name.upper()}={default_of(field) or ''}"
    return f"# {field.description}\n{variable if name.upper() in FILLED_IN else f'# {variable}'}\n"


def test_env_example_holds_every_setting_with_its_default() -> None:
    start = (
        "# Settings of `gateway serve`. Copy this file to .env and fill in the keys; the environment wins over it.\n"
        "# Times are in seconds, sizes in bytes. What is commented out shows its default, where it has one.\n"
    )
    expected = "\n".join([start, *(example_of(name, field) for name, field in Settings.model_fields.items())])
    given = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert given == expected, f".env.example should be:\n\n{expected}"


def test_env_example_filled_in_is_enough(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in ENOUGH.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert read_settings(str(tmp_path / ".env")) == read(environment, **ENOUGH)


@pytest.mark.parametrize("address", ["http://u:p@h/prism", "http://h/prism?x=1", "http://h/prism#x"])
def test_an_address_holds_nothing_but_a_place(address: str) -> None:
    about = Settings.model_fields["prism_url"].description
    with pytest.raises(BadSettingsError) as caught:
        read_settings(None, prism_url=address, prism_api_key="k", scenario_jwt="j")
    assert caught.value.lines == [
        f"PRISM_URL cannot be used: It must have neither user, password, query nor fragment. {about}"
    ]
