"""What a process does about its own memory: less is looked at for garbage, and what is free goes back to the system."""

import ctypes
import gc
from collections.abc import Callable
from typing import Any


def settle() -> None:
    """Spare what the program itself is made of from garbage collection, and seldom look at all: p99 falls with it.

    Young objects are looked at often, which takes a few milliseconds. A look at all takes a tenth of a second and more
    where a thousand operations are kept. It comes once for each two million objects that reference counts alone do not
    let go, which is what 1,600 new operations leave; until then, garbage that has grown old stays.
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

    By itself glibc gives back only what is free at the end of its heap, and bodies and answers of all sizes leave holes
    before it.
    """
    if _trim is not None:
        _trim(0)
