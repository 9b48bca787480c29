"""Tags that some callers may not read, kept in an asset's document under a key that the graph does not show."""

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Document, part_of

HIDDEN = "hidden tags"  # a key that no upstream's document has

decode, encode = msgspec.json.decode, msgspec.json.encode
_Keys = dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class HiddenTags:
    """All tags that begin with one of some `prefixes` of small letters, in any case and behind any white space.

    What stands among tags, or in their place, and is no text is hidden too: nobody knows what it names.
    """

    prefixes: tuple[str, ...]

    def hides(self, tag: object) -> bool:
        """Whether a tag is one of them."""
        return not isinstance(tag, str) or tag.lstrip().casefold().startswith(self.prefixes)

    def without(self, document: Document) -> Document:
        """Give an asset, or a page of them, with these tags put away; the same document where there are none."""
        body = document.made.get(self)
        if body is None:
            body = self._page(document.body) if document.kind == "asset_page" else self._asset(document.body)
            document.keep_fragment(self, body or b"")
        return part_of(document, document.kind, document.id, body) if body else document

    def _page(self, body: bytes) -> bytes | None:
        page = decode(body, type=_Keys)
        assets = decode(page["assets"], type=list[msgspec.Raw])
        shown = [self._asset(bytes(asset)) for asset in assets]
        if not any(shown):
            return None
        members = [one if put is None else msgspec.Raw(put) for one, put in zip(assets, shown, strict=True)]
        return encode({**page, "assets": members})

    def _asset(self, body: bytes) -> bytes | None:
        asset = _keys(body)
        given = decode(asset.get("tags", b"null"))
        tags: list[Any] = given if isinstance(given, list) else [] if given is None else [given]
        hidden = [tag for tag in tags if self.hides(tag)]
        if not hidden:
            return None
        shown = [tag for tag in tags if not self.hides(tag)]
        named = [tag for tag in hidden if isinstance(tag, str)] if tags is given else []
        return encode({**asset, "tags": shown, HIDDEN: named})


def _keys(body: bytes) -> _Keys:
    try:
        return decode(body, type=_Keys)
    except msgspec.ValidationError:
        return {}
