"""Dataloaders: each thing is loaded once a request, and what one step of it asks for is loaded together.

They make no task and copy no future, which would be most of what a loaded document costs beside its call.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Generic, TypeVar

import msgspec

from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError, Waiting

K = TypeVar("K", bound=Hashable)


class Once(msgspec.Struct, Generic[K], eq=False):
    """Begins to load a thing when it is first asked for. Belongs to one request."""

    _loop: asyncio.AbstractEventLoop  # asked for once a request: on some Pythons each time is a system call
    _known: dict[K, Waiting] = {}

    def load(self, key: K, begin: Callable[[Waiting], object]) -> Waiting:
        """Wait for the document of a key, which `begin` sees to."""
        known = self._known.get(key)
        if known is None or known.cancelled():
            known = self._known[key] = Waiting(loop=self._loop)
            begin(known)
        return known

    def has(self, key: K) -> bool:
        """Whether a key was asked for."""
        return key in self._known

    def prime(self, key: K, document: Document) -> None:
        """Let a document be what everybody gets who asks for this key from now on."""
        known = self._known[key] = Waiting(loop=self._loop)
        known.set_result(document)

    def forget(self, key: K) -> None:
        """Load one anew when it is asked for again."""
        self._known.pop(key, None)

    def clear(self) -> None:
        """Load everything anew that is asked for from now on."""
        self._known.clear()


class Loader(Once[K], eq=False):
    """Begins to load at the end of a step, with all that it asked for."""

    _wanted: dict[K, Waiting] = {}

    def load_together(self, key: K, start: Callable[[Mapping[K, Waiting]], None]) -> Waiting:
        """Wait for the document of a key; `start`, always the same, sees to all who wait, now or later."""
        known = self._known.get(key)
        if known is not None and not known.cancelled():
            return known
        if not self._wanted:
            self._loop.call_soon(self._end_of_step, start)
        waiting = self._known[key] = self._wanted[key] = Waiting(loop=self._loop)
        waiting.is_wanted = True
        return waiting

    def forget(self, key: K) -> None:
        """Load one anew when it is asked for again; one that waits for the end of the step is loaded then anyway."""
        if key not in self._wanted:
            super().forget(key)

    def _end_of_step(self, start: Callable[[Mapping[K, Waiting]], None]) -> None:
        wanted = {key: waiting for key, waiting in self._wanted.items() if not waiting.done()}
        for waiting in wanted.values():
            waiting.is_wanted = False
        self._wanted.clear()
        start(wanted)


def after(first: Waiting, waiting: Waiting, then: Callable[[DocumentOrError], object]) -> None:
    """Let `then` see to who is `waiting` once a first document is there; what ends that otherwise ends both."""
    first.add_done_callback(partial(_go_on, waiting, then))


def _go_on(waiting: Waiting, then: Callable[[DocumentOrError], object], first: asyncio.Future[DocumentOrError]) -> None:
    if waiting.done():
        return
    if first.cancelled():
        waiting.cancel()
    elif (bug := first.exception()) is not None:
        waiting.set_exception(bug)
    else:
        then(first.result())
