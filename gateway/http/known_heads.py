"""Heads that come again byte for byte, as those of one client do: what they say is read once.

What decides by more than the bytes of a head must be asked each time.
"""

from gateway.http.request import Head

LONGEST = 2_048  # bytes of a head
MOST = 1_000  # heads, each of which takes 1 to 7 kB here; those of clients that name each request are never known
END = b"\r\n\r\n"


class KnownHeads:
    """Heads by their bytes, each with the length of the body that came with it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Head, int]] = {}

    def find(self, came: bytes) -> tuple[Head, bytes] | None:
        """Give head and body of what came, where it is one whole request whose head is known."""
        end = came.find(END) + len(END)
        known = self._known.get(came[:end])
        if known is None or len(came) - end != known[1]:
            return None
        return known[0], came[end:]

    def keep(self, came: bytes, head: Head, body: bytes) -> None:
        """Know a head from now on, where nothing came but that and a body as it is: by the same bytes it ends alike."""
        end = came.find(END) + len(END)
        if end > LONGEST or came[end:] != body or b"x-request-id" in head.headers:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[came[:end]] = head, len(body)
