"""Requests that come again byte for byte, with the answers that they had: found before anything is parsed.

What decides by more than the bytes of a request must be asked by `Repeat.is_true`, which is called each time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST = 16_384  # bytes of a request; a longer one comes in parts anyway
ENTRY_OVERHEAD = 1_300  # bytes that Python spends on an entry and its `is_true`: measured with tracemalloc


@dataclass(frozen=True, slots=True)
class Repeat:
    """An answer: the lines of its head from the status to its last header, and its body, as long as `is_true`.

    Without a `request_id` of the client's each answer gets one of its own.
    """

    head: bytes
    body: bytes
    request_id: bytes | None
    is_true: Callable[[], bool]


@dataclass(slots=True)
class Repeats:
    """At most `max_bytes` of requests and answers; least recently used out first."""

    max_bytes: int
    used_bytes: int = 0
    hits: int = 0
    _kept: OrderedDict[bytes, Repeat] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, request: bytes) -> Repeat | None:
        """Give the answer to a request, where it had one that is still true."""
        repeat = self._kept.get(request)
        if repeat is None:
            return None
        if not repeat.is_true():
            self._drop(request)
            return None
        self._kept.move_to_end(request)
        self.hits += 1
        return repeat

    def keep(self, request: bytes, repeat: Repeat) -> None:
        """Let a request have this answer when it comes again."""
        self._drop(request)
        weight = _weight(request, repeat)
        if len(request) <= LONGEST and weight <= self.max_bytes:
            self._kept[request] = repeat
            self.used_bytes += weight
            while self.used_bytes > self.max_bytes:
                self._drop(next(iter(self._kept)))

    def end(self) -> None:
        """Repeat nothing any more."""
        self.max_bytes = self.used_bytes = 0
        self._kept.clear()

    def _drop(self, request: bytes) -> None:
        repeat = self._kept.pop(request, None)
        if repeat is not None:
            self.used_bytes -= _weight(request, repeat)


def _weight(request: bytes, repeat: Repeat) -> int:
    return len(request) + len(repeat.head) + len(repeat.body) + ENTRY_OVERHEAD
