"""How a Strawberry type reads an upstream document, whatever the document lacks or garbles."""

from datetime import UTC, datetime

import msgspec
import pytest
import strawberry
from graphql import GraphQLObjectType, build_schema, get_named_type, is_leaf_type

from gateway.cache.document import Document
from gateway.graph.document_type import DocumentType, wire
from gateway.graph.enums import UpstreamEnum, unknown, value
from gateway.graph.scalars import URL, read_datetime, write_datetime
from gateway.schema import schema
from gateway.telemetry import MAX_DRIFTS, Drift, drift
from tests.world import World, world


@strawberry.enum(description="A colour.")
class Colour(UpstreamEnum):
    DARK_RED = value("dark-red", "Red.")
    UNKNOWN = unknown()


@strawberry.type(description="A part.")
class Part(DocumentType):
    colour: Colour = wire("Its colour.")
    weight: float | None = wire("Its weight.")


@strawberry.type(description="A thing.")
class Thing(DocumentType):
    name: str | None = wire("Its name.")
    label: str | None = wire("Its label.", key="x-label")
    colour: Colour = wire("Its colour.")
    old_colour: Colour | None = wire("Its old colour.")
    part: Part = wire("Its part.")
    spare: Part | None = wire("Its spare part.")
    parts: list[Part] | None = wire("Its parts.")
    tags: list[str] = wire("Its tags.")
    made_at: datetime | None = wire("When it was made.")
    url: URL | None = wire("Where it is.")
    sum: int = wire("One and other.", keys=("one", "other"), convert=lambda one, other: (one or 0) + (other or 0))


def thing(**keys: object) -> Thing:
    return Thing.of(Document("thing", "t", msgspec.json.encode(keys), 0, 0, 0))


def test_a_field_is_read_under_its_key_and_converted_by_its_type() -> None:
    one = thing(
        **{"x-label": "L", "madeAt": "2024-02-29T12:00:00.5+01:00"},
        name="N",
        colour="dark-red",
        oldColour="dark-red",
        part={"colour": "dark-red", "weight": 1.5},
        parts=[{"weight": 1}, {"weight": 2}],
        tags=["a", "b"],
        url="https://x.test/a?b=c",
        one=1,
        other=2,
    )
    assert (one.name, one.label, one.colour, one.old_colour) == ("N", "L", Colour.DARK_RED, Colour.DARK_RED)
    assert (one.part.colour, one.part.weight) == (Colour.DARK_RED, 1.5)
    assert [part.weight for part in one.parts or ()] == [1, 2]
    assert (one.tags, one.url, one.sum) == (["a", "b"], "https://x.test/a?b=c", 3)
    assert one.made_at == datetime(2024, 2, 29, 11, 0, 0, 500_000, UTC)
    assert one.decoded()["name"] == "N"


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'"text"', b"null", b'{"colour": null, "part": null, "tags": null, "parts": null}']
)
def test_what_a_document_lacks_is_nothing_and_costs_nothing_else(body: bytes) -> None:
    bare = Thing.of(Document("thing", "t", body, 0, 0, 0))
    assert (bare.name, bare.old_colour, bare.spare, bare.parts, bare.made_at, bare.url) == (None,) * 6
    assert (bare.colour, bare.tags, bare.sum) == (Colour.UNKNOWN, [], 0)
    assert (bare.part.colour, bare.part.weight) == (Colour.UNKNOWN, None)


@pytest.mark.parametrize("wrong", [7, "text", True, [1, "a", None], {"a": 1}])
def test_what_a_document_garbles_costs_its_own_field_only(wrong: object) -> None:
    odd = thing(colour=wrong, part=wrong, spare=wrong, parts=wrong, tags=wrong, madeAt=wrong, url=wrong)
    assert odd.colour is Colour.UNKNOWN
    assert odd.part.colour is Colour.UNKNOWN
    assert odd.tags in ([], ["a"])
    assert (odd.made_at, odd.url) == (None, None)
    assert odd.parts in (None, [])
    assert odd.spare is None or isinstance(wrong, dict)


def test_nothing_is_decoded_before_a_field_is_read() -> None:
    broken = Thing.of(Document("thing", "t", b"not json", 0, 0, 0))
    assert repr(broken) == "<Thing>"
    with pytest.raises(msgspec.DecodeError):
        _ = broken.name


def test_a_type_shows_no_field_that_it_does_not_have() -> None:
    with pytest.raises(AttributeError, match="Thing has no field colours"):
        _ = thing().colours


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.123456+02:00", "2024-01-02T01:04:05.123Z"),
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("yesterday", None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_timestamps_become_utc(text: object, moment: str | None) -> None:
    read = read_datetime(text)
    assert (read and write_datetime(read)) == moment


def test_drift_is_counted_every_time_and_bounded() -> None:
    some = Drift()
    for number in range(MAX_DRIFTS + 50):
        some.note("place", number)
        some.note("place", number)
    assert len(some.counts) == MAX_DRIFTS + 1
    assert some.counts["place", "0"] == 2
    assert some.counts["place", "…"] == 100


# --- through the whole graph ---


async def test_an_asset_with_the_least_that_it_may_have_answers_every_field() -> None:
    async with world(drift=True) as gateway:
        data = await gateway.data(
            '{ asset(assetId: "asset_drift_bare") { assetId kind status source privacy mimeType url urlExpiresAt name'
            " tags collectionIds editCapabilities properties { size width } preview { url } createdAt updatedAt ownerId"
            " metadata { kind prompt } raw parent { assetId } root { assetId } qualityGate { verdict } } }"
        )
        asset = data["asset"]
        raw = asset.pop("raw")
        kind = asset["kind"]
        assert asset == {
            "assetId": "asset_drift_bare",
            "kind": kind,
            "status": "UNKNOWN",
            "source": "UNKNOWN",
            "privacy": "UNKNOWN",
            "mimeType": None,
            "url": None,
            "urlExpiresAt": None,
            "name": None,
            "tags": [],
            "collectionIds": [],
            "editCapabilities": [],
            "properties": {"size": None, "width": None},
            "preview": None,
            "createdAt": None,
            "updatedAt": None,
            "ownerId": None,
            "metadata": {"kind": kind, "prompt": None},
            "parent": None,
            "root": None,
            "qualityGate": None,
        }
        assert sorted(raw) == ["id", "kind", "metadata"]


@pytest.mark.parametrize(
    ("name", "fields", "expected", "raw_key", "raw_value"),
    [
        ("kind", "kind", {"kind": "UNKNOWN"}, "kind", "hologram"),
        (
            "type",
            "source metadata { type }",
            {"source": "UNKNOWN", "metadata": {"type": "UNKNOWN"}},
            "source",
            "txt2hologram",
        ),
        ("status", "status", {"status": "UNKNOWN"}, "status", "archived"),
        ("privacy", "privacy", {"privacy": "UNKNOWN"}, "privacy", "team"),
        ("date", "updatedAt", {"updatedAt": None}, "updatedAt", "yesterday"),
        ("seed_number", "metadata { seed }", {"metadata": {"seed": "1234567890"}}, None, None),
        ("model_type", "metadata { modelType }", {"metadata": {"modelType": "SD_XL"}}, None, None),
        ("null_size", "properties { size }", {"properties": {"size": None}}, None, None),
        ("new_keys", "assetId", {"assetId": "asset_drift_new_keys"}, "aura", "blue"),
        ("renamed_gate", "assetId", {"assetId": "asset_drift_renamed_gate"}, "slopGuard", {"verdict": "pass"}),
    ],
)
async def test_drift_costs_its_own_field_and_raw_still_shows_it(
    name: str, fields: str, expected: object, raw_key: str | None, raw_value: object
) -> None:
    async with world(drift=True) as gateway:
        data = await gateway.data(f'{{ asset(assetId: "asset_drift_{name}") {{ {fields} raw }} }}')
        raw = data["asset"].pop("raw")
        assert data["asset"] == expected
        if raw_key is not None:
            assert raw[raw_key] == raw_value


async def test_an_unknown_value_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    drift.counts.clear()
    async with world(drift=True) as gateway:
        for _ in range(3):
            await gateway.data('{ asset(assetId: "asset_drift_kind") { kind } }')
            gateway.clock.advance(3_600)
    assert drift.counts["AssetKind", "hologram"] == 3
    assert [r.getMessage() for r in caplog.records if "hologram" in r.getMessage()] == [
        "upstream drift at AssetKind: 'hologram' is not known to this graph"
    ]


def every_field_but_calls(type_: GraphQLObjectType) -> str:
    """Select every field of a type, through all its parts; those that lead to other objects cost calls."""
    selected = []
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if is_leaf_type(named):
            selected.append(name)
        elif named.name not in {"Asset", "AssetConnection", "Scan"} and isinstance(named, GraphQLObjectType):
            selected.append(f"{name} {{ {every_field_but_calls(named)} }}")
    return " ".join(selected)


@pytest.mark.uncovered
async def test_every_asset_of_the_sandbox_answers_every_field_of_the_graph(gateway: World) -> None:
    asset = build_schema(schema.as_str()).type_map["Asset"]
    assert isinstance(asset, GraphQLObjectType)
    fields = every_field_but_calls(asset)
    data = await gateway.data(f"{{ assets(first: 1000) {{ nodes {{ {fields} }} }} }}")
    assert len(data["assets"]["nodes"]) == 1_000
    assert len(fields.split()) > 180
