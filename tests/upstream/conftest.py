"""What speaks to sockets itself is tested on both event loops: asyncio's own and the one that serves."""

import asyncio
import sys
from collections.abc import Callable, Mapping

if sys.platform != "win32":
    import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loops that each test of this folder runs on."""
    if sys.platform == "win32":
        return {"asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
