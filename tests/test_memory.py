"""A process gives back what it does not use."""

import platform
import resource
from pathlib import Path

import pytest

from gateway.memory import give_back

BLOCKS, SIZE = 2_000, 40_000  # of which none is so large that it goes back by itself


def resident() -> int:
    """Bytes that this process has of the system's memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's gives back by itself")
def test_what_is_free_between_what_is_in_use_goes_back_to_the_system() -> None:
    blocks = [b"x" * SIZE for _ in range(BLOCKS)]
    del blocks[::2]
    before = resident()
    give_back()
    assert before - resident() > 0.7 * len(blocks) * SIZE
