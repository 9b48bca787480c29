"""The file of tenants: what stands in it, where secrets may stand instead, and what is told of mistakes."""

from pathlib import Path
from typing import Any

import pytest

from gateway.environment import read_settings
from gateway.limits import CostLimits
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError, Settings
from gateway.sources import access_by
from gateway.tenant_settings import TenantSettings, read_tenants
from gateway.upstream.credentials import basic, bearer, public
from tests.world import settings_for

KEYS = 'prism_api_key = "acme-key"\nscenario_jwt = "acme-token"\n'


def settings_of(folder: Path, text: str, **given: Any) -> Settings:
    """Settings with a file of tenants; nobody is let in as the default one."""
    (folder / "tenants.toml").write_text(text, encoding="utf-8")
    given = {"gateway_auth": "api-key", **given}
    return read_settings(None, gateway_tenants_file=folder / "tenants.toml", **given)


def read(folder: Path, text: str, **environment: str) -> dict[str, TenantSettings]:
    return dict(read_tenants(settings_of(folder, text), environment))


def told(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(BadSettingsError) as caught:
        read(folder, text, **environment)
    return caught.value.lines


def test_without_a_file_the_environment_says_who_the_only_tenant_is() -> None:
    settings = settings_for(Sandbox(), scenario_project_id="proj_1", gateway_max_objects=7)
    ((name, tenant),) = read_tenants(settings).items()
    access = access_by(tenant)
    assert name == "default"
    assert access == access_by(settings)
    assert (access.prism, access.project_id, tenant.most) == (
        bearer(Sandbox.prism_api_key), "proj_1", CostLimits(300, 7, joined=True),
    )  # fmt: skip


def test_each_tenant_has_credentials_project_and_limits_of_its_own(tmp_path: Path) -> None:
    tenants = read(
        tmp_path,
        f"""
        [acme]
        {KEYS}
        [bolt-2]
        prism_api_key = "bolt-key"
        prism_url = "http://prism.test"
        scenario_api_key = "bolt-id"
        scenario_api_secret = "bolt-secret"
        scenario_project_id = "proj_bolt"
        max_upstream_calls = 5
        [open]
        prism_api_key = "open-key"
        scenario_public = true
        """,
    )
    acme, bolt, other = (access_by(tenant) for tenant in tenants.values())
    assert list(tenants) == ["acme", "bolt-2", "open"]
    assert [one.prism for one in (acme, bolt, other)] == [bearer(f"{name}-key") for name in ("acme", "bolt", "open")]
    assert [one.scenario for one in (acme, bolt, other)] == [
        bearer("acme-token"), basic("bolt-id", "bolt-secret"), public(),
    ]  # fmt: skip
    assert (acme.prism_url, bolt.prism_url) == ("https://api.hosted.prismlabs.tech", "http://prism.test")
    assert (acme.project_id, bolt.project_id) == (None, "proj_bolt")
    assert [tenant.most for tenant in tenants.values()] == [
        CostLimits(), CostLimits(upstream_calls=5), CostLimits(joined=False),
    ]  # fmt: skip


def test_secrets_may_stand_in_the_environment_or_in_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    text = '[acme]\nprism_api_key = "${ACME_KEY}"\nscenario_jwt = { file = "secret" }'
    access = access_by(read(tmp_path, text, ACME_KEY="from-outside")["acme"])
    assert (access.prism, access.scenario) == (bearer("from-outside"), bearer("from-a-file"))


def test_the_readmes_example_is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "secrets").mkdir()
    for name in ("acme", "bolt"):
        (tmp_path / "secrets" / name).write_text(f"{name}-secret\n")
    tenants = read(tmp_path, example.replace("…", "x"), ACME_PRISM_KEY="acme-key", BOLT_TOKEN="bolt-token")
    assert [access_by(tenant).prism for tenant in tenants.values()] == [bearer("acme-key"), bearer("bolt-secret")]
    assert [access_by(tenant).scenario for tenant in tenants.values()] == [
        basic("api_x", "acme-secret"), bearer("bolt-token"),
    ]  # fmt: skip


def test_no_tenant_has_the_credentials_of_the_environment(tmp_path: Path) -> None:
    lines = ["tenants.toml: 'acme': prism_api_key is missing: The Bearer key that Prism issued."]
    with pytest.raises(BadSettingsError) as caught:
        read_tenants(settings_of(tmp_path, '[acme]\nscenario_jwt = "t"', prism_api_key="the-operators"))
    assert caught.value.lines == lines


def test_every_mistake_is_told_at_once_in_a_line_of_its_own(tmp_path: Path) -> None:
    text = """
    [acme]
    prism_api_key = "${NOWHERE}"
    scenario_api_key = "half-a-canary"
    prism_url = "canary"
    max_objects = 0
    [bolt]
    prism_api_key = { path = "canary" }
    scenario_jwt = { file = "missing" }
    scenario_apikey = "canary"
    [cove]
    prism_api_key = "canary canary"
    ["no name"]
    """
    assert told(tmp_path, "loose = 1" + text) == [
        "tenants.toml: 'loose': a tenant is a table, as [acme].",
        "tenants.toml: 'acme': prism_api_key cannot be used: the environment has no NOWHERE.",
        (
            "tenants.toml: 'acme': prism_url cannot be used: Input should be a valid URL, relative URL without a base."
            " Where Prism's Hosted API is."
        ),
        "tenants.toml: 'acme': scenario_api_key and scenario_api_secret go together; one of them is missing.",
        (
            "tenants.toml: 'acme': max_objects cannot be used: Input should be greater than or equal to 1."
            " How many objects an operation could answer at most."
        ),
        (
            "tenants.toml: 'bolt': prism_api_key cannot be used: it must be a text, \"${VARIABLE}\" or"
            ' { file = "path" }.'
        ),
        "tenants.toml: 'bolt': scenario_jwt cannot be used: the file missing cannot be read.",
        "tenants.toml: 'bolt': scenario_apikey is no setting.",
        (
            "tenants.toml: 'cove': prism_api_key cannot be used: It must be ASCII without spaces and line breaks."
            " The Bearer key that Prism issued."
        ),
        (
            "tenants.toml: 'cove': scenario_api_key and scenario_api_secret are missing; scenario_jwt or"
            " scenario_public=true would do too."
        ),
        "tenants.toml: 'no name': a tenant's name is of letters, digits, `_` and `-`, at most 63.",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "GATEWAY_TENANTS_FILE names no tenant: each is a table, as [acme]."),
        (
            "[acme",
            "GATEWAY_TENANTS_FILE is no TOML: Expected ']' at the end of a table declaration (at end of document).",
        ),
    ],
)
def test_a_file_of_nothing_is_refused(text: str, line: str, tmp_path: Path) -> None:
    assert told(tmp_path, text) == [line]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    (tmp_path / "tenants.toml").write_bytes(b"\xff")
    with pytest.raises(BadSettingsError, match="cannot be read: it is not UTF-8"):
        read_tenants(settings)
    (tmp_path / "tenants.toml").unlink()
    with pytest.raises(BadSettingsError, match="cannot be read: No such file or directory"):
        read_tenants(settings)


def test_where_everyone_is_let_in_there_is_a_tenant_for_everyone(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError) as caught:
        read_tenants(settings_of(tmp_path, f"[acme]\n{KEYS}", gateway_auth="open"))
    line = "GATEWAY_TENANTS_FILE must name the tenant 'default', to whom everyone belongs by GATEWAY_AUTH=open."
    assert caught.value.lines == [line]
    assert list(read_tenants(settings_of(tmp_path, f"[default]\n{KEYS}", gateway_auth="open"))) == ["default"]


def test_where_tokens_name_no_tenant_there_is_one_for_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError) as caught:
        read_tenants(settings_of(tmp_path, f"[acme]\n{KEYS}", gateway_auth="jwt"))
    line = "GATEWAY_TENANTS_FILE must name the tenant 'default', to whom all tokens belong without GATEWAY_JWT_TENANT."
    assert caught.value.lines == [line]
    for tenant, claim in (("default", None), ("acme", "org")):
        read = read_tenants(settings_of(tmp_path, f"[{tenant}]\n{KEYS}", gateway_auth="jwt", gateway_jwt_tenant=claim))
        assert list(read) == [tenant]


def test_credentials_are_missed_only_where_they_are_needed(tmp_path: Path) -> None:
    assert read_settings(None, gateway_auth="pass-through").prism_api_key is None
    for given, lines in (
        ({}, ["PRISM_API_KEY", "SCENARIO_API_KEY"]),
        ({"gateway_tenants_file": tmp_path / "missing"}, ["GATEWAY_TENANTS_FILE"]),
        ({"gateway_auth": "pass-through", "scenario_api_key": "half"}, ["SCENARIO_API_KEY"]),
    ):
        with pytest.raises(BadSettingsError) as caught:
            read_settings(None, **given)
        assert [line.partition(" ")[0] for line in caught.value.lines] == lines
