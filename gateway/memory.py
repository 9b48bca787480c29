"""What a process does about its own memory: less is looked at for garbage, and what is free goes back to the system."""

import ctypes
import gc
from collections.abc import Callable
from typing import Any


def settle() -> None:
    """Spare what the program itself is made of from garbage collection, and seldom look at all: p99 falls with it.

    What is young is looked at often, which takes a few milliseconds. A look at all takes a tenth of a second and more
    where a thousand operations are kept, but what grew old as garbage stays until then: it comes with each two millions
    of objects that were not let go by themselves, as 1,600 new operations leave.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)


def _trimming() -> Callable[[int], Any] | None:
    try:
        trim: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None  # another allocator than glibc's
    return trim


_trim = _trimming()


def give_back() -> None:
    """Let the system have the pages in which nothing is in use, within a few milliseconds; does nothing but on glibc.

    That gives back what is free at the end of its heap alone, and bodies and answers of all sizes leave it full of
    holes.
    """
    if _trim is not None:
        _trim(0)
