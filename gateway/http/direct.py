"""Requests that have come as a whole, and are answered without ASGI: what a server and an application agree on."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from gateway.http.reply import Reply
from gateway.http.request import Request


@dataclass(frozen=True, slots=True)
class Direct:
    """Answers POST and GET of one path: at once, later, or not, which leaves the request to ASGI.

    What answers later may be cancelled, and raises nothing else. `headers` are those of each answer, in lines.
    """

    path: bytes
    headers: bytes
    answer: Callable[[Request, bytes], Reply | Coroutine[Any, Any, Reply] | None]
