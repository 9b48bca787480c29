"""Where everyone is let in: on loopback, or over a sandbox, and nowhere else."""

import logging
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.environment import read_settings
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from tests.world import settings_for, world

REAL = {"prism_api_key": "prism-key", "scenario_api_key": "key", "scenario_api_secret": "secret"}
EVERYWHERE = ("0.0.0.0", "::", "192.0.2.1", "gateway.example", "127.example", "127.0.0.1.example", "::1.example", "")  # noqa: S104 - what is refused


@pytest.mark.parametrize("host", EVERYWHERE)
def test_it_is_refused_beyond_loopback(host: str) -> None:
    with pytest.raises(BadSettingsError) as caught:
        create_app(read_settings(None, **REAL, gateway_host=host))
    assert str(caught.value) == (
        f"GATEWAY_AUTH=open would let everyone who reaches {host} use the gateway's credentials: set GATEWAY_AUTH to"
        " api-key or jwt, or GATEWAY_HOST to 127.0.0.1."
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_it_is_warned_of(host: str, caplog: pytest.LogCaptureFixture) -> None:
    create_app(read_settings(None, **REAL, gateway_host=host))
    assert caplog.record_tuples == [
        (
            "gateway.auth",
            logging.WARNING,
            "whoever reaches this machine's own address may do everything: GATEWAY_AUTH=open",
        )
    ]


def test_over_a_sandbox_it_is_fine_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    create_app(settings_for(Sandbox(), gateway_host="0.0.0.0"))  # noqa: S104 - nothing listens
    assert caplog.record_tuples == []


@pytest.mark.parametrize("name", REAL)
def test_one_real_credential_is_no_sandbox(name: str) -> None:
    with pytest.raises(BadSettingsError, match="GATEWAY_AUTH=open"):
        create_app(settings_for(Sandbox(), **{name: REAL[name]}, gateway_host="0.0.0.0"))  # noqa: S104 - refused


def test_a_sandboxes_credentials_beside_a_file_of_tenants_open_nothing(tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.toml"
    tenants.write_text('[default]\nprism_api_key = "prism-key"\nscenario_jwt = "token"\n')
    with pytest.raises(BadSettingsError, match="GATEWAY_AUTH=open"):
        create_app(settings_for(Sandbox(), gateway_tenants_file=tenants, gateway_host="0.0.0.0"))  # noqa: S104 - refused


async def test_whatever_a_client_says_of_itself_it_is_answered() -> None:
    async with world() as gateway:
        gateway.headers["authorization"] = "Bearer anything"
        assert await gateway.execute("{ __typename }") == {"data": {"__typename": "Query"}}
