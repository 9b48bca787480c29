"""The id under which a request stands in answers and logs."""

import re
import secrets

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def request_id(given: str | None) -> str:
    """Take the client's own id when it is well formed, else make one of 16 hexadecimal digits."""
    return given if given is not None and WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
