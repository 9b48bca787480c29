"""The ways to answer that are compared, as settings."""

from gateway.sandbox import Sandbox
from gateway.settings import Settings

URL = "http://sandbox.test"
PATHS = {"prism": "/prism", "scenario": "/scenario/v1"}
NEVER_FRESH = {
    name: 0
    for name in Settings.model_fields
    if name.startswith(("gateway_fresh", "gateway_stale")) and name != "gateway_fresh_urls_margin"
} | {"gateway_fresh_urls_margin": 10**9, "gateway_cache_bytes": 0}
ALWAYS_FRESH = {"gateway_fresh_page": 3_600, "gateway_fresh_asset": 3_600, "gateway_fresh_stages_final": 3_600}
STOCK = {"gateway_plans": False, "gateway_operations": 0}
MODES: dict[str, dict[str, object]] = {
    "stock, cold": {**STOCK, **NEVER_FRESH},
    "plans, cold": {**NEVER_FRESH},
    "stock, warm": {**STOCK, **ALWAYS_FRESH},
    "plans, warm": {**ALWAYS_FRESH},
    "answers": {"gateway_answers": True, **ALWAYS_FRESH},
}


def bench_settings(sandbox: Sandbox, url: str, **given: object) -> Settings:
    """Settings that point at an upstream, with the guards that `gateway demo` has, whatever the environment says."""
    return Settings.model_validate(
        {
            "prism_url": f"{url}{PATHS['prism']}",
            "prism_api_key": sandbox.prism_api_key,
            "scenario_url": f"{url}{PATHS['scenario']}",
            "scenario_api_key": sandbox.scenario_api_key,
            "scenario_api_secret": sandbox.scenario_api_secret,
            "gateway_log_level": "error",
            "gateway_slow_from": 60,  # as many calls everywhere, also where a machine is slow
            "gateway_max_arrival_seconds": 3_600,  # connections are open before they are used
            "gateway_overload_after": 3_600,  # as many wait for their turns as the load has connections, all the time
            **given,
        },
    )
