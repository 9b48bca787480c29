"""A download address that dies, whichever source signed it."""

from datetime import datetime
from typing import Self

import strawberry

from gateway.cache.expiry import signed_url_expiry
from gateway.graph.scalars import URL


@strawberry.type(description="One signed download URL.")
class SignedUrl:
    """A URL that dies."""

    url: URL = strawberry.field(description="The address; anyone who has it can download until it expires.")
    expires_at: datetime | None = strawberry.field(description="When it stops working; null when it does not say.")
    mime_type: str | None = strawberry.field(description="The media type of the file; null where nobody says.")

    @classmethod
    def read(cls, url: URL, mime_type: str | None) -> Self:
        """Make one of an address, reading its expiry."""
        return cls(url=url, expires_at=signed_url_expiry(url), mime_type=mime_type)
