"""The way over the network: straight to the upstream (`http1.py`), or by aiohttp where a proxy stands between.

TLS by the system's certificates (`SSL_CERT_FILE` names others), the proxy that the environment names but never for this
machine itself, connections kept alive, a bounded number of them, and a bounded wait for one.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from gateway.access import is_loopback
from gateway.tallies import CallTally
from gateway.upstream.channel import Channel, Way, over
from gateway.upstream.http1 import PORTS, Http1Channel, open_http1
from gateway.upstream.policy import Bounds
from gateway.upstream.pool import Pool

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Transports = Mapping[str, httpx.AsyncBaseTransport | Channel]


class TracesCalls(Protocol):
    """Traces the calls of a channel."""

    def traced(self, channel: Channel, url: str, tally: CallTally) -> Channel:
        """Give a channel whose calls are spans."""


@dataclass(slots=True)
class Network:
    """The ways to upstreams, one to each address: its connections serve all who go there, each under their own headers.

    What stands for an upstream's name in `transports` is taken instead.
    """

    bounds: Bounds
    transports: Transports = field(default_factory=dict)
    traces: TracesCalls | None = None
    tallies: dict[str, CallTally] = field(default_factory=dict)
    _ways: dict[tuple[str, str], Way] = field(default_factory=dict)

    def channel(self, name: str, base_url: str, headers: Mapping[str, str], routes: tuple[str, ...] = ()) -> Channel:
        """Give a channel to an upstream with these routes; whoever gives back the network closes it."""
        tally, channel = self.tallies.setdefault(name, CallTally(routes)), self._channel(name, base_url, headers)
        return channel if self.traces is None else self.traces.traced(channel, base_url, tally)

    def pools(self) -> list[tuple[str, Pool]]:
        """Give the connections to each address, with the name of its upstream."""
        return [(name, way.pool) for (name, _), way in self._ways.items() if isinstance(way, Http1Channel)]

    def _channel(self, name: str, base_url: str, headers: Mapping[str, str]) -> Channel:
        transport = self.transports.get(name)
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
            return transport
        way = self._ways.get((name, base_url))
        if way is None:
            way = over(transport, base_url, {}, self.bounds) if transport else open_network(base_url, {}, self.bounds)
            self._ways[name, base_url] = way
        return way.under(headers)

    async def close(self) -> None:
        """Close every connection."""
        given = (one for one in self.transports.values() if not isinstance(one, httpx.AsyncBaseTransport))
        for channel in (*self._ways.values(), *given):
            await channel.close()


def open_network(base_url: str, headers: Mapping[str, str], bounds: Bounds) -> Way:
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
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    proxies = getproxies()
    if is_loopback(host) or _is_exempt(host, port, proxies.get("no", "")):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "//" not in proxy else proxy


def _is_exempt(host: str, port: int, exempt: str) -> bool:
    """Whether a host needs no proxy: by its name, with its port too, or its address, or a network that has this."""
    named = f"[{host}]" if ":" in host else host
    if proxy_bypass(host) or proxy_bypass(f"{named}:{port}"):
        return True
    address = _address(host)
    return address is not None and any(address in network for network in _networks(exempt))


def _networks(exempt: str) -> Iterator[_Network]:
    for each in exempt.split(","):
        with suppress(ValueError):
            yield ipaddress.ip_network(each.strip().strip("[]"), strict=False)


def _address(host: str) -> _Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    return None
