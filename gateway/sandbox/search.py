"""`POST /search/assets`: the part of its filter language that is simulated, its pages, and its hits."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

from gateway.sandbox.errors import documented
from gateway.scenario import wire

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
TEAM_ID = "team_Sandbox"
FILTERABLE = ("tags", "collectionIds", "kind", "mimeType", "privacy", "authorId")
SORTABLE = ("createdAt", "updatedAt")
HIT_METADATA = (
    *("aspectRatio", "baseModelId", "guidance", "height", "kind", "modelId", "modelType", "name", "negativePrompt"),
    *("negativePromptStrength", "numInferenceSteps", "parentJobId", "prompt", "scheduler", "seed", "size", "text"),
    *("thumbnail", "type", "width"),
)
HIT = (
    *("id", "authorId", "collectionIds", "createdAt", "mimeType", "ownerId", "privacy", "tags", "updatedAt", "url"),
    *("description", "thumbnail"),
)

Selects: TypeAlias = Callable[[wire.Asset], bool]

_CONDITION = re.compile(r'\s*(\w+)\s*=\s*"([^"\\]*)"\s*')


def search(asked: wire.SearchBody, assets: Iterable[wire.Asset]) -> tuple[Sequence[wire.Asset], wire.SearchAnswer]:
    """Give the assets of a page, and what is answered beside them; 400 for what cannot be asked."""
    if not (asked.get("filter") or asked.get("query")):
        raise documented(400, 'One of "query", "filter", "image" or "images" is required')
    selects, says = filtered(asked.get("filter", "")), asked.get("query", "").casefold()
    found = [asset for asset in assets if selects(asset) and says in str(asset).casefold()]
    for by, descending in reversed(order(asked.get("sortBy", []))):
        found.sort(key=lambda asset: cast("dict[str, Any]", asset)[by], reverse=descending)
    if "page" in asked or "hitsPerPage" in asked:
        page, size = whole(asked, "page", 1), whole(asked, "hitsPerPage", DEFAULT_LIMIT)
        beside: wire.SearchAnswer = {
            "hits": [], "page": page, "hitsPerPage": size, "totalPages": -(-len(found) // size), "totalHits": len(found)
        }  # fmt: skip
        return found[(page - 1) * size : page * size], beside
    offset, limit = whole(asked, "offset", 0), whole(asked, "limit", DEFAULT_LIMIT)
    beside = {"hits": [], "offset": offset, "limit": limit, "estimatedTotalHits": len(found)}
    return found[offset : offset + limit], beside


def hit(asset: wire.Asset) -> wire.SearchHit:
    """What is told of an asset that is found: less than it holds, and its team."""
    held = cast("dict[str, Any]", asset)
    shown = {key: held[key] for key in HIT if key in held}
    shown["metadata"] = {key: value for key, value in held["metadata"].items() if key in HIT_METADATA}
    return cast("wire.SearchHit", {**shown, "nsfw": held.get("nsfw", []), "teamId": TEAM_ID})


def filtered(text: str) -> Selects:
    """Read conditions such as `tags = "a" OR kind = "image" AND privacy = "private"`; AND binds closer than OR."""
    alternatives = [[condition(one) for one in either.split(" AND ")] for either in text.split(" OR ")] if text else []
    return lambda asset: not alternatives or any(all(one(asset) for one in every) for every in alternatives)


def condition(text: str) -> Selects:
    """Read one condition. Texts are equal whatever their case, and a list where it holds the text."""
    found = _CONDITION.fullmatch(text)
    if found is None or found[1] not in FILTERABLE:
        raise documented(400, f"Invalid filter near `{text.strip()[:40]}`")
    name, wanted = found[1], found[2].casefold()

    def selects(asset: wire.Asset) -> bool:
        value = cast("dict[str, Any]", asset).get(name, ())
        return wanted in [str(each).casefold() for each in ([value] if isinstance(value, str) else value)]

    return selects


def order(sort_by: Sequence[str]) -> list[tuple[str, bool]]:
    """Read `createdAt:desc` and the like: a key, and whether the greatest comes first."""
    keys = [one.partition(":") for one in sort_by]
    for key, _, direction in keys:
        if key not in SORTABLE or direction not in ("asc", "desc"):
            raise documented(400, f"Invalid sort `{key[:40]}`")
    return [(key, direction == "desc") for key, _, direction in keys]


def whole(asked: wire.SearchBody, name: str, default: int) -> int:
    """A number of the body: a size is 1 to 100."""
    value = cast("dict[str, Any]", asked).get(name, default)
    lowest, highest = {"offset": (0, 10**6), "page": (1, 10**6)}.get(name, (1, MAX_LIMIT))
    if value != int(value) or not lowest <= value <= highest:
        raise documented(400, f'"{name}" must be an integer between {lowest} and {highest}')
    return int(value)
