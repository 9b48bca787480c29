"""How often the callers of each tenant may ask: as its table says, else as the environment; and from a reload on."""

from pathlib import Path
from typing import Any

import pytest

from gateway.auth.caller import ANYONE, Caller
from gateway.environment import read_settings
from gateway.rates.rates import RateLimits, Rates, TenantRates
from gateway.settings import BadSettingsError
from gateway.tenant_settings import read_tenants
from tests.rates.test_rates import refusal
from tests.tenants.test_reload import Many, many, table
from tests.world import Clock

NOTHING = "{ __typename }"
LEFT = """{ viewer {
  requests { ...A } upstreamCalls { ...A } objects { ...A } tenantRequests { ...A }
} } fragment A on Allowance { limit remaining }"""
ANN, BOB = Caller("ann", "acme"), Caller("bob", "acme")


def error_of(refused: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = refused["errors"][0]
    return error


async def left(many: Many, tenant: str) -> list[tuple[int, int] | None]:
    """What a caller of a tenant is told of each limit: its value and what is left of it."""
    _, data = await many.ask(tenant, LEFT)
    return [each and (each["limit"], each["remaining"]) for each in data["viewer"].values()]


async def test_each_tenant_has_rates_of_its_own_or_those_of_everyone(tmp_path: Path) -> None:
    acme = table("acme", rate_requests=2, rate_upstream_calls=7, rate_objects=0, rate_tenant_requests=5)
    async with many(tmp_path, acme, table("bolt")) as two:
        assert await left(two, "acme") == [(2, 1), (7, 7), None, (5, 4)]
        assert await left(two, "bolt") == [(1_200, 1_199), (600, 600), (100_000, 99_999), None]
        assert await two.ask("acme", NOTHING) == (200, {"__typename": "Query"})
        assert await two.ask("acme", NOTHING) == (429, error_of(refusal("GATEWAY_RATE_REQUESTS", 2, 0, 1, 90)))
        assert await two.ask("bolt", NOTHING) == (200, {"__typename": "Query"})


async def test_a_reload_changes_what_is_allowed_and_forgets_nothing_that_was_spent(tmp_path: Path) -> None:
    async with many(tmp_path, table("acme", rate_upstream_calls=3), table("bolt", rate_requests=3)) as two:
        assert (await two.ask("acme"))[0] == 200
        assert await left(two, "acme") == [(1_200, 1_198), (3, 2), (100_000, 99_998), None]
        two.rewrite(table("acme", rate_requests=3, rate_upstream_calls=9), table("bolt", rate_requests=3))
        assert await left(two, "acme") == [(3, 0), (9, 8), (100_000, 99_997), None]
        assert await two.ask("acme", NOTHING) == (429, error_of(refusal("GATEWAY_RATE_REQUESTS", 3, 0, 1, 80)))
        assert await left(two, "bolt") == [(3, 2), (600, 600), (100_000, 99_999), None]
        two.rewrite(table("acme"), table("bolt"))
        assert await left(two, "acme") == [(1_200, 1_196), (600, 599), (100_000, 99_996), None]


def test_a_tenants_requests_are_counted_together_across_a_change() -> None:
    rates = Rates(RateLimits(), clock=Clock())
    rates.set_tenants({"acme": TenantRates(RateLimits(tenant_requests=3))})
    assert [rates.takes(caller) for caller in (ANN, BOB, ANN, BOB)] == [True, True, True, False]
    rates.set_tenants({"acme": TenantRates(RateLimits(tenant_requests=4))})
    assert [rates.takes(caller) for caller in (BOB, ANN)] == [True, False]
    rates.set_tenants({})
    assert rates.takes(ANN)
    assert rates.left(ANN)["tenant_requests"] is None


def test_one_who_is_not_known_has_only_the_limits_that_are_set() -> None:
    rates = Rates(clock=Clock())
    rates.set_tenants({"default": TenantRates.of({"requests": 2, "objects": None})})
    assert [rates.takes(ANYONE) for _ in range(3)] == [True, True, False]
    assert (rates.left(ANYONE)["objects"], rates.left(Caller("anyone"))["requests"]) == (None, (2, 0, 60))


@pytest.mark.parametrize("value", ["-1", '"many"', "1.5"])
def test_a_rate_that_is_none_is_told(value: str, tmp_path: Path) -> None:
    (tmp_path / "tenants.toml").write_text(f"{table('acme')}rate_requests = {value}\n")
    settings = read_settings(None, gateway_auth="api-key", gateway_tenants_file=tmp_path / "tenants.toml")
    with pytest.raises(BadSettingsError) as caught:
        read_tenants(settings)
    (line,) = caught.value.lines
    assert line.startswith("tenants.toml: 'acme': rate_requests cannot be used: ")
    assert line.endswith(" A caller's requests a minute.")
