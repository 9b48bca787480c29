"""The id under which a request stands in answers and logs."""

import random
import re

WELL_FORMED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def request_id(given: bytes | None) -> str:
    """Take the client's own id when it is well formed, else make one of 16 hexadecimal digits."""
    if given is not None and WELL_FORMED.fullmatch(given):
        return given.decode()
    return new_request_id()


def new_request_id() -> str:
    """Make an id of 16 hexadecimal digits."""
    return f"{random.getrandbits(64):016x}"
