"""The `gateway` command as a process of its own: started, awaited by what it prints, and ended by a signal."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.sandbox import Sandbox
from gateway.settings import Settings

SECONDS = 60  # far more than any of them needs to start, or to end, on a machine that is busy with other things
COMMAND = (sys.executable, "-m", "gateway")
IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # as a script's `&` starts a command: SIGINT is ignored


@dataclass(slots=True)
class Process:
    """A running command, and the lines that it has printed so far, errors among them."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def wait_for(self, pattern: str) -> str:
        """Read up to the line that holds a pattern, and give the pattern's first group; it is killed if none comes."""
        assert self.process.stdout is not None
        guard = threading.Timer(SECONDS, self.process.kill)
        guard.start()
        try:
            for line in self.process.stdout:
                self.lines.append(line)
                if found := re.search(pattern, line):
                    return found[1]
        finally:
            guard.cancel()
        raise AssertionError(f"It ended without {pattern}: {''.join(self.lines)}")

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal, and give the exit code and everything that was printed."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, "".join([*self.lines, rest])


@contextmanager
def running(
    *arguments: str, folder: Path, settings: Mapping[str, str] | None = None, through: Sequence[str] = ()
) -> Iterator[Process]:
    """Start a command in a folder, maybe through another; it is killed at the end, should it still run."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*through, *COMMAND, *arguments],
        cwd=folder,
        env=environment(settings or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            yield Process(process)
        finally:
            process.kill()


def run(*arguments: str, folder: Path, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(settings or {}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=SECONDS,
    )


def settings_of(prism: str, scenario: str, **given: str) -> dict[str, str]:
    """What `gateway serve` needs to use a sandbox whose upstreams have these addresses, on any free port."""
    return {
        "PRISM_URL": prism,
        "PRISM_API_KEY": Sandbox.prism_api_key,
        "SCENARIO_URL": scenario,
        "SCENARIO_API_KEY": Sandbox.scenario_api_key,
        "SCENARIO_API_SECRET": Sandbox.scenario_api_secret,
        "GATEWAY_PORT": "0",
        **given,
    }


def settings_at(sandbox_url: str, **given: str) -> dict[str, str]:
    """The same, by where `gateway sandbox` serves both."""
    return settings_of(f"{sandbox_url}/prism", f"{sandbox_url}/scenario/v1", **given)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of these tests with these settings and no other, and without a proxy."""
    others = {name.upper() for name in Settings.model_fields} | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in others}
    return {**kept, **settings}
