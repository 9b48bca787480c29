"""The sandbox's own API, for people and scripts: where everything is, the faults in force, the calls received."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox.faults import Fault, Faults
from gateway.sandbox.upstream import Upstream

FIELDS = frozenset(Fault.__dataclass_fields__)


class Control:
    """`/sandbox` and what is below it; JSON throughout."""

    def __init__(self, faults: Faults, upstreams: tuple[Upstream, ...], overview: Callable[[], object]) -> None:
        self._faults = faults
        self._upstreams = upstreams
        self._overview = overview

    @property
    def routes(self) -> list[Route]:
        """What it answers to."""
        return [
            Route("/sandbox", self._read_overview),
            Route("/sandbox/faults", self._read_faults, methods=["GET"]),
            Route("/sandbox/faults", self._add_fault, methods=["POST"]),
            Route("/sandbox/faults", self._clear_faults, methods=["DELETE"]),
            Route("/sandbox/calls", self._read_calls, methods=["GET"]),
            Route("/sandbox/calls", self._clear_calls, methods=["DELETE"]),
        ]

    async def _read_overview(self, _: Request) -> Response:
        return answer(self._overview())

    async def _read_faults(self, _: Request) -> Response:
        return answer({"faults": self._faults.as_json()})

    async def _add_fault(self, request: Request) -> Response:
        """Add the fault of the body, whose keys are the fields of Fault; 400 where it is none."""
        try:
            fault = fault_of(await request.body())
        except (msgspec.MsgspecError, ValueError) as error:
            return answer({"message": str(error)}, 400)
        self._faults.add(fault)
        return answer({"faults": self._faults.as_json()}, 201)

    async def _clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def _read_calls(self, _: Request) -> Response:
        return answer({upstream.name: upstream.calls for upstream in self._upstreams})

    async def _clear_calls(self, _: Request) -> Response:
        for upstream in self._upstreams:
            upstream.clear()
        return Response(status_code=204)


def fault_of(body: bytes) -> Fault:
    """The fault that JSON describes; a key that Fault has not is refused, for it would do nothing."""
    unknown = msgspec.json.decode(body, type=dict[str, object]).keys() - FIELDS
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
    return msgspec.json.decode(body, type=Fault)


def answer(document: object, status: int = 200) -> Response:
    """A document, indented for reading."""
    return Response(msgspec.json.format(msgspec.json.encode(document)), status, media_type="application/json")
