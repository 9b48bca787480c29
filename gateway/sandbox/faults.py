"""Failures on demand: rules that say which calls fail, how often, and in which way."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Literal

UpstreamName = Literal["prism", "scenario", "files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Which calls fail and how; a fault with `delay` alone only slows them.

    `path` is a regular expression searched in the path that `calls` shows; `times` is how many calls it hits,
    all of them when None. Of `cut`, `status` (429 when there is only `retry_after`, in seconds) and `malformed` the
    first one set decides the answer; `body` and `headers` are for a `status`.
    """

    upstream: UpstreamName | None = None
    method: str | None = None
    path: str = ""
    times: int | None = None
    probability: float = 1.0
    delay: float = 0.0
    cut: bool = False
    status: int | None = None
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: int | None = None
    malformed: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error

    def matches(self, upstream: str, method: str, path: str) -> bool:
        """Whether a call is one of those that may fail."""
        return (
            self.upstream in (None, upstream)
            and self.method in (None, method)
            and re.search(self.path, path) is not None
        )


@dataclass(slots=True)
class Armed:
    """A fault and how many calls it has hit."""

    fault: Fault
    hits: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has hit as many calls as it may."""
        return self.fault.times is not None and self.hits >= self.fault.times


class Faults:
    """The faults in force; the first one that matches a call and wins its throw hits it."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._armed: list[Armed] = []

    def add(self, fault: Fault) -> None:
        """Let a fault hit the calls to come."""
        self._armed.append(Armed(fault))

    def clear(self) -> None:
        """Let every call through again."""
        self._armed.clear()

    def strike(self, upstream: str, method: str, path: str) -> Fault | None:
        """The fault that hits this call, which counts as one of its times."""
        for armed in self._armed:
            if armed.spent or not armed.fault.matches(upstream, method, path):
                continue
            if self._rng.random() < armed.fault.probability:
                armed.hits += 1
                return armed.fault
        return None

    def as_json(self) -> list[dict[str, object]]:
        """Every fault with its `hits`, in the order added."""
        return [{**asdict(armed.fault), "hits": armed.hits} for armed in self._armed]
