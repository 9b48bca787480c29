"""Linking assets to a scan, and ending that: one change for each asset, each made once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import strawberry

from gateway.auth.scopes import LINK_ASSETS, READ_ASSETS, READ_SCANS, is_confined
from gateway.errors import BadUserInput, GatewayError
from gateway.graph.cost import costs
from gateway.graph.ids import check_id
from gateway.graph.link_costs import Changed, ChangesEach
from gateway.graph.promise import Promise
from gateway.graph.scopes import described, requires, scoped
from gateway.graph.user_errors import UserError, UserErrorCode, user_error
from gateway.links.context import Info
from gateway.prism.types import Scan
from gateway.scenario.client import MAX_BULK
from gateway.scenario.types import Asset

MAX_ASSETS = 50

Change = Callable[[str], Awaitable[None]]

_ASSET_IDS = f"Scenario's ids of the assets. At most {MAX_ASSETS}."
_CALLS = ChangesEach("assetIds", before=1)


@strawberry.input(description="Which assets belong to which scan from now on.")
class LinkAssetsToScanInput:
    scan_id: strawberry.ID = strawberry.field(description="Prism's id of the scan.")
    asset_ids: list[strawberry.ID] = strawberry.field(description=_ASSET_IDS)


@strawberry.input(description="Which assets do not belong to which scan any more.")
class UnlinkAssetsFromScanInput:
    scan_id: strawberry.ID = strawberry.field(description="Prism's id of the scan, which need not exist any more.")
    asset_ids: list[strawberry.ID] = strawberry.field(description=_ASSET_IDS)


@strawberry.type
class LinkingPayload:
    """What both changes answer."""

    scan: Scan | None = strawberry.field(
        default=None,
        description=described(READ_SCANS, "The scan; null when refused."),
        directives=[requires(READ_SCANS)],
    )
    asset_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="The assets for which it was done, in the order asked. Why one is not among them say `userErrors`,"
        " or an error where it is not known whether it was done.",
    )

    @strawberry.field(
        **scoped(READ_ASSETS, "The assets of `assetIds` as they are now; null in the place of one that is not there."),
        metadata=costs(Changed(MAX_BULK)),
    )
    def assets(self, info: Info) -> list[Asset | None] | None:
        """One call for all."""
        return [info.context.scenario.asset(asset_id) for asset_id in self.asset_ids]

    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was not done, each by its place in `assetIds`; empty when it was."
    )


@strawberry.type(description="What came of `linkAssetsToScan`.")
class LinkAssetsToScanPayload(LinkingPayload):
    pass


@strawberry.type(description="What came of `unlinkAssetsFromScan`.")
class UnlinkAssetsFromScanPayload(LinkingPayload):
    pass


@strawberry.type
class LinkMutations:
    """The fields of `Mutation` that join both sources."""

    @strawberry.mutation(
        **scoped(
            LINK_ASSETS,
            "Link assets to a scan, beside whatever else they are linked to; one that is linked already stays so.",
        ),
        metadata=costs(_CALLS),
    )
    async def link_assets_to_scan(
        self,
        info: Info,
        input: Annotated[LinkAssetsToScanInput, strawberry.argument(description="Which to which.")],  # noqa: A002 - the graph's word
    ) -> LinkAssetsToScanPayload | None:
        """One call for the scan unless it is at hand, then one an asset, all at once."""
        links, scenario = info.context.links, info.context.scenario
        payload = LinkAssetsToScanPayload()
        asset_ids = _checked(input.scan_id, input.asset_ids, payload)
        if asset_ids and await _exists(info, input.scan_id, payload):
            tag = links.tag.write(input.scan_id)
            before, noted = links.recent.of(input.scan_id), links.recent.note(input.scan_id, asset_ids)
            change = partial(scenario.client.change_tags, add=[tag])
            refused = await _change_each(info, payload, input.scan_id, asset_ids, change)
            links.recent.forget(input.scan_id, {id_: noted for id_ in refused if id_ not in before})
        return payload

    @strawberry.mutation(
        **scoped(LINK_ASSETS, "Unlink assets from a scan; one that is not linked to it stays so."),
        metadata=costs(_CALLS),
    )
    async def unlink_assets_from_scan(
        self,
        info: Info,
        input: Annotated[UnlinkAssetsFromScanInput, strawberry.argument(description="Which from which.")],  # noqa: A002 - the graph's word
    ) -> UnlinkAssetsFromScanPayload | None:
        """One call an asset, all at once; for who may see only their own scans one for the scan before."""
        links, scenario = info.context.links, info.context.scenario
        payload = UnlinkAssetsFromScanPayload()
        asset_ids = _checked(input.scan_id, input.asset_ids, payload)
        needs_scan = is_confined(info.context.journal.caller)
        if asset_ids and (not needs_scan or await _exists(info, input.scan_id, payload)):
            change = partial(scenario.client.change_tags, delete=links.tag.spellings(input.scan_id))
            before = links.recent.of(input.scan_id)
            await _change_each(info, payload, input.scan_id, asset_ids, change)
            links.recent.forget(input.scan_id, {id_: before[id_] for id_ in payload.asset_ids if id_ in before})
        return payload


def _checked(scan_id: str, asset_ids: Sequence[str], payload: LinkingPayload) -> Mapping[str, int]:
    """Give each asset with its first place; none, and say so, where an input cannot be used."""
    try:
        check_id(scan_id, "scanId")
    except BadUserInput as error:
        payload.user_errors.append(user_error(error, {None: "scanId"}))
    if not 1 <= len(asset_ids) <= MAX_ASSETS:
        code = UserErrorCode.TOO_MANY if asset_ids else UserErrorCode.INVALID
        message = f"This takes 1 to {MAX_ASSETS} assets; these are {len(asset_ids)}."
        payload.user_errors.append(UserError(code=code, message=message, field=["assetIds"]))
    for place, asset_id in enumerate(asset_ids[:MAX_ASSETS]):
        try:
            check_id(asset_id, "assetIds")
        except BadUserInput as error:
            payload.user_errors.append(_at(place, user_error(error, {None: "assetIds"})))
    return {} if payload.user_errors else {asset_id: asset_ids.index(asset_id) for asset_id in asset_ids}


async def _exists(info: Info, scan_id: str, payload: LinkingPayload) -> bool:
    """Whether there is a scan, and the caller may see it; says so otherwise. Raises where Prism cannot tell."""
    found: Any = info.context.prism.existing(scan_id)
    if (await found if isinstance(found, Promise) else found) is not None:
        return True
    missing = UserError(code=UserErrorCode.NOT_FOUND, message="Prism has no such scan.", field=["scanId"])
    payload.user_errors.append(missing)
    return False


async def _change_each(
    info: Info, payload: LinkingPayload, scan_id: str, asset_ids: Mapping[str, int], change: Change
) -> Sequence[str]:
    """Change every asset, and note for which it was done, and what failed. Gives those that were refused.

    The scan is part of the answer unless all were. Raises the first failure where nothing else came of it.
    """
    errors = await asyncio.gather(*(_failure_of(change, asset_id) for asset_id in asset_ids))
    info.context.scenario.forget()
    failures: list[GatewayError] = []
    refused: list[str] = []
    for (asset_id, place), error in zip(asset_ids.items(), errors, strict=True):
        if error is None:
            payload.asset_ids.append(strawberry.ID(asset_id))
            continue
        try:
            payload.user_errors.append(_at(place, user_error(error, {None: "assetIds"})))
            refused.append(asset_id)
        except GatewayError:
            failures.append(error)
    if len(failures) == len(asset_ids):
        raise failures[0]
    if len(refused) < len(asset_ids):
        payload.scan = Scan.by_id(scan_id)
    for failure in failures:
        info.context.journal.add_error(failure, info.path.as_list())
    return refused


async def _failure_of(change: Change, asset_id: str) -> GatewayError | None:
    try:
        await change(asset_id)
    except GatewayError as error:
        return error
    return None


def _at(place: int, error: UserError) -> UserError:
    """Say which item of the list it is."""
    return UserError(code=error.code, message=error.message, field=error.field and [*error.field, str(place)])
