"""`GET /assets`: its parameters with their rules, and what they select."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import QueryParams
from starlette.requests import Request

from gateway.sandbox.errors import documented
from gateway.sandbox.families import TYPES
from gateway.sandbox.moments import DAY, epoch, iso
from gateway.sandbox.paging import Position
from gateway.sandbox.reading import choice, flag
from gateway.scenario import wire

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 100
DELETED_FOR = 30 * DAY
LAST = "~"  # sorts after every date

PAGING = ("pageSize", "paginationToken", "originalAssets")
WITH_DELETED = {"deleted", "projectId", "teamId", *PAGING}
PRIVACIES = ("private", "public", "unlisted")

SortKey = Literal["createdAt", "updatedAt", "deletedAt"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a page is asked of: whose assets, which of them, and in which order."""

    params: QueryParams
    project_id: str | None
    deleted_since: str | None
    types: frozenset[str]
    tags: frozenset[str]
    after: str
    before: str
    sort_by: SortKey
    descending: bool
    page_size: int

    @property
    def fingerprint(self) -> str:
        """What a token is bound to: everything but the size of the page and the form of its URLs."""
        kept = sorted(item for item in self.params.multi_items() if item[0] not in PAGING)
        return repr((self.project_id, kept))

    def page(self, assets: Iterable[wire.Asset], after: Position | None) -> list[wire.Asset]:
        """The selected assets after a position, in order, one more than fits where there is more."""
        selected = sorted(
            (asset for asset in assets if self._selects(asset)), key=self.position, reverse=self.descending
        )
        if after is not None:
            selected = [asset for asset in selected if self._follows(self.position(asset), after)]
        return selected[: self.page_size + 1]

    def position(self, asset: wire.Asset) -> Position:
        """Where an asset stands in the order."""
        return asset[self.sort_by], asset["id"]

    def _follows(self, position: Position, other: Position) -> bool:
        return position < other if self.descending else position > other

    def _selects(self, asset: wire.Asset) -> bool:
        if self.deleted_since is not None:
            return asset["ownerId"] == self.project_id and asset.get("deletedAt", "") > self.deleted_since
        return (
            "deletedAt" not in asset
            and self._visible(asset)
            and self._related(asset)
            and (not self.types or asset["metadata"]["type"] in self.types)
            and (not self.tags or not self.tags.isdisjoint(asset["tags"]))
            and self.after < asset[self.sort_by] < self.before
        )

    def _visible(self, asset: wire.Asset) -> bool:
        privacy = self.params.get("privacy")
        if self.project_id is None or privacy == "public":
            return asset["privacy"] == "public" and privacy in (None, "public")
        return asset["ownerId"] == self.project_id and privacy in (None, asset["privacy"])

    def _related(self, asset: wire.Asset) -> bool:
        metadata = asset["metadata"]
        values: dict[str, object] = {
            "authorId": asset["authorId"],
            "modelId": metadata.get("modelId"),
            "inferenceId": metadata.get("inferenceId"),
            "parentAssetId": metadata.get("parentId"),
            "rootAssetId": metadata.get("rootParentId"),
        }
        collection_id = self.params.get("collectionId")
        return all(self.params.get(name, value) == value for name, value in values.items()) and (
            collection_id is None or collection_id in asset["collectionIds"]
        )


def read(request: Request, project_id: str | None, now: float) -> Listing:
    """The listing a request asks for; 400 where a parameter breaks a rule."""
    params = request.query_params
    deleted = flag(request, "deleted")
    if deleted and not WITH_DELETED.issuperset(params):
        raise documented(400, '"deleted" can only be combined with "projectId", "teamId" and paging parameters')
    if "tags" in params and params.get("privacy") != "public":
        raise documented(400, '"tags" is only allowed with "privacy" public')
    sort_by: SortKey = (
        "updatedAt" if choice(request, "sortBy", ("createdAt", "updatedAt")) == "updatedAt" else "createdAt"
    )
    choice(request, "privacy", PRIVACIES)
    after, before = interval(params)
    return Listing(
        params=params,
        project_id=project_id,
        deleted_since=iso(now - DELETED_FOR) if deleted else None,
        types=types(params),
        tags=frozenset(params["tags"].split(",")) if "tags" in params else frozenset(),
        after=after,
        before=before,
        sort_by="deletedAt" if deleted else sort_by,
        descending=choice(request, "sortDirection", ("asc", "desc")) != "asc",
        page_size=page_size(params),
    )


def types(params: QueryParams) -> frozenset[str]:
    """The types asked for, empty for all of them."""
    if "type" in params and "types" in params:
        raise documented(400, '"type" and "types" cannot be used together')
    asked = params.get("type", params.get("types", ""))
    chosen = frozenset(asked.split(",")) if asked else frozenset[str]()
    unknown = chosen - TYPES.keys()
    if unknown:
        raise documented(400, f'"types" has no value "{min(unknown)}"')
    return chosen


def interval(params: QueryParams) -> tuple[str, str]:
    """The dates between which assets are asked for, both exclusive."""
    after, before = "", LAST
    for sort_by in ("createdAt", "updatedAt"):
        name = sort_by.removesuffix("At")
        after = date(params, f"{name}After", sort_by) or after
        before = date(params, f"{name}Before", sort_by) or before
    return after, before


def date(params: QueryParams, name: str, sort_by: str) -> str | None:
    """A date parameter in the form that assets have; it needs its own order."""
    if name not in params:
        return None
    if params.get("sortBy") != sort_by:
        raise documented(400, f'"{name}" requires "sortBy" to be "{sort_by}"')
    try:
        return iso(epoch(params[name]))
    except ValueError:
        raise documented(400, f'"{name}" must be a valid ISO 8601 date') from None


def page_size(params: QueryParams) -> int:
    """How many assets a page has: 1 to 100, 50 unless told."""
    asked = params.get("pageSize", str(DEFAULT_PAGE_SIZE))
    if not re.fullmatch("[1-9][0-9]?|100", asked):
        raise documented(400, f'"pageSize" must be an integer between 1 and {MAX_PAGE_SIZE}')
    return int(asked)
