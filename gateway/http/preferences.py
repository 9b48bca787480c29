"""What a client would rather have, by the header `Prefer` (RFC 7240): here, how long it waits."""

import math
import re

_WAIT = re.compile(rb'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9}(?:\.\d{1,9})?)"?\s*(?=[,;]|$)', re.IGNORECASE)


def wait(header: bytes) -> float:
    """Read the seconds that a client waits for an answer, fractions allowed; without an end where it does not say."""
    found = _WAIT.search(header)
    return math.inf if found is None else float(found[1])
