"""The convention by which an asset belongs to a scan: a tag that names the scan."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import BadUserInput
from gateway.graph.ids import check_id

ENCODED = "b32:"

_SAFE = re.compile(r"[a-z0-9_-]+")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class LinkTag:
    """Writes and reads tags that begin with `prefix`, after which comes the scan's id.

    What tags may hold is not documented, nor whether they keep their case. So an id of more than lower-case letters,
    digits, `_` and `-` is written in base32, after `b32:`. One that somebody else wrote as it is, is understood too.
    """

    prefix: str

    def write(self, scan_id: str) -> str:
        """The tag of a scan."""
        return f"{self.prefix}{scan_id if _SAFE.fullmatch(scan_id) else _encoded(scan_id)}"

    def spellings(self, scan_id: str) -> Sequence[str]:
        """Every tag that names a scan: the one that is written first."""
        plain = [f"{self.prefix}{scan_id}"] if _PLAIN.fullmatch(scan_id) else []
        return list(dict.fromkeys([self.write(scan_id), *plain]))

    def read(self, tag: str) -> str | None:
        """The scan that a tag names; None for one that names none."""
        if not tag.startswith(self.prefix):
            return None
        named = tag.removeprefix(self.prefix)
        scan_id = _decoded(named.removeprefix(ENCODED)) if named.startswith(ENCODED) else named
        if scan_id is None or tag not in self.spellings(scan_id):
            return None
        try:
            return check_id(scan_id, "scanId")
        except BadUserInput:
            return None

    def scan_of(self, tags: Iterable[str]) -> str | None:
        """The scan that the first of some tags names which names one."""
        return next((scan_id for tag in tags if (scan_id := self.read(tag)) is not None), None)


def _encoded(scan_id: str) -> str:
    return ENCODED + base64.b32encode(scan_id.encode()).decode().rstrip("=").lower()


def _decoded(text: str) -> str | None:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8)).decode()
    except ValueError:  # no base32, no UTF-8, or no ASCII to begin with
        return None
