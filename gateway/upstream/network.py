"""The way over the network: straight to the upstream (`http1.py`), or by aiohttp where a proxy stands between.

TLS by the system's certificates (`SSL_CERT_FILE` names others), the proxy that the environment names but never for this
machine itself, connections kept alive, a bounded number of them, and a bounded wait for one.
"""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gateway.upstream.channel import Channel
from gateway.upstream.http1 import open_http1
from gateway.upstream.policy import Bounds


def open_network(base_url: str, headers: Mapping[str, str], bounds: Bounds) -> Channel:
    """Open a channel to an address."""
    base = base_url.rstrip("/")
    proxy = _proxy(base)
    if not proxy:
        return open_http1(base, headers, bounds)
    from gateway.upstream.proxied import ProxiedChannel  # noqa: PLC0415 - aiohttp, which few need, is 10 MB

    return ProxiedChannel(base, headers, bounds, proxy)


def _proxy(url: str) -> str | None:
    """Find the proxy for an address in the environment, as most programs do."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_this_machine(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
