"""A real redis-server of a test's own: started, killed, paused, filled, and started again where it was."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

SECONDS = 20  # far more than it needs
PROGRAMS = ("redis-server", "valkey-server")


@dataclass(slots=True)
class RedisServer:
    """One server on a port of loopback; it writes nothing to disk."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    client: redis.Redis = field(init=False)

    def __post_init__(self) -> None:
        self.client = redis.Redis(port=self.port, socket_timeout=SECONDS)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder))
        self.process = subprocess.Popen(  # noqa: S603 - an installed program
            [program(), *fixed, *options], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert any(b"Ready to accept connections" in line for line in self.process.stdout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP pauses it, SIGCONT lets it go on, SIGKILL ends it as a crash would."""
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.communicate()

    def stop(self) -> None:
        """End it, whatever state it is in."""
        self.client.close()
        if self.process is not None:
            self.signal(signal.SIGKILL)


def program() -> str:
    """The path of redis-server, or of Valkey's; a test that needs it is skipped without, and fails where CI runs."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        missing = "redis-server is not installed, nor valkey-server"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = RedisServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
