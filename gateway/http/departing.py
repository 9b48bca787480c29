"""uvicorn's HTTP protocol, made to end connections with their answers once clients are to go elsewhere."""

from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.abandoned import AbandonedProtocol
from gateway.http.load import Load


class DepartingProtocol(AbandonedProtocol):
    """Says `connection: close` in each answer to what comes while the process is leaving.

    A client that keeps a connection would use it until it is closed, which may be as a request is on its way.
    """

    load: ClassVar[Load] = Load()

    @property
    def is_asking(self) -> bool:
        """Whether a request is still to come: who has just connected has one, or has sent a part of it."""
        return self._arriving_since is not None and self.has_answered

    def on_headers_complete(self) -> None:
        """Let the connection end with this request, where that is wanted."""
        super().on_headers_complete()
        cycle: RequestResponseCycle | None = self.cycle
        if self.load.is_leaving and cycle is not None and cycle is not self._previous_cycle:
            cycle.keep_alive = False

    def depart(self) -> None:
        """Let the connection end with the answers that are owed, where any are."""
        if not self.has_answered:
            self.cycle.keep_alive = False
