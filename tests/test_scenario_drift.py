"""Scenario's official SDK as judge: whatever it knows of an asset, this graph knows too."""

import logging
import re
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLNonNull, GraphQLObjectType, build_schema
from pydantic import BaseModel
from scenario_sdk.types import (
    asset_get_bulk_response,
    asset_list_response,
    asset_lock_response,
    asset_retrieve_response,
    asset_unlock_response,
)
from scenario_sdk.types.asset_list_params import AssetListParams
from scenario_sdk.types.assets.download_request_params import DownloadRequestParams
from strawberry.schema.config import StrawberryConfig

from gateway.cache.document import Document
from gateway.graph.document_type import DocumentType
from gateway.graph.enums import UpstreamEnum
from gateway.graph.scalars import SCALARS
from gateway.scenario import asset_types, enums, wire
from gateway.scenario.images import AssetImage
from gateway.scenario.metadata import AssetMetadata, MetadataConcept
from gateway.scenario.properties import AssetProperties, CameraKeyframe, Transcription
from gateway.scenario.quality import AssetQualityGate, QualityGateDetails, QualityGateDimension
from gateway.telemetry import drift

T = TypeVar("T", bound=DocumentType)


def document(type_: type[T], keys: object) -> T:
    """A document of these keys, read as a type."""
    return type_.of(Document("asset", "asset_1", msgspec.json.encode(keys), 0, 0, 0))


SDK_ASSETS = [
    asset_list_response.AssetListResponse,
    asset_retrieve_response.Asset,
    asset_get_bulk_response.Asset,
    asset_lock_response.Asset,
    asset_unlock_response.Asset,
]

ENUM_OF: Mapping[str, type[Enum]] = {
    "editCapabilities": enums.EditCapability,
    "kind": enums.AssetKind,
    "privacy": enums.AssetPrivacy,
    "source": asset_types.AssetSource,
    "status": enums.AssetStatus,
    "metadata.imageType": enums.ImageType,
    "metadata.inputFidelity": enums.InputFidelity,
    "metadata.inputLocation": enums.InputLocation,
    "metadata.kind": enums.AssetKind,
    "metadata.modality": enums.Modality,
    "metadata.modelType": enums.ModelType,
    "metadata.style": enums.AssetStyle,
    "metadata.type": asset_types.AssetType,
    "properties.cameraMode": enums.CameraMode,
    "properties.classification": enums.AudioClassification,
    "qualityGate.sensitivity": enums.QualityGateSensitivity,
    "qualityGate.status": enums.QualityGateStatus,
    "qualityGate.verdict": enums.QualityGateVerdict,
}
STRINGS_ON_PURPOSE = {"originalMimeType"}

WIRE_OF: Mapping[type, type] = {
    AssetMetadata: wire.AssetMetadata,
    AssetProperties: wire.AssetProperties,
    AssetQualityGate: wire.QualityGate,
    CameraKeyframe: wire.CameraKeyframe,
    MetadataConcept: wire.MetadataConcept,
    QualityGateDetails: wire.QualityGateDetails,
    QualityGateDimension: wire.QualityGateDimension,
    Transcription: wire.Transcription,
}

OWN_ENUMS = [
    found
    for module in (enums, asset_types)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Enum) and found.__module__ == module.__name__
]


@strawberry.type
class Query:
    """A root from which every type under test is reached."""

    metadata: AssetMetadata
    properties: AssetProperties
    quality_gate: AssetQualityGate


TYPE_MAP = build_schema(
    strawberry.Schema(Query, types=OWN_ENUMS, config=StrawberryConfig(scalar_map=SCALARS)).as_str()
).type_map


def fields_of(model: object) -> Mapping[str, Any]:
    """List the fields of an SDK model or a TypedDict by their upstream names; none for anything else."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    return get_type_hints(model) if hasattr(model, "__total__") else {}


def bare(annotation: Any) -> Any:
    """Strip an annotation of its Optional and its lists."""
    if get_origin(annotation) in {Union, types.UnionType, list}:
        return bare(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation


def paths(model: object, above: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the fields of a model and of the models within it: a dotted path and a bare type each."""
    for name, annotation in fields_of(model).items():
        yield above + name, bare(annotation)
        yield from paths(bare(annotation), f"{above}{name}.")


def literals(model: object) -> dict[str, set[str]]:
    """Give the values of each field that the SDK enumerates."""
    return {path: set(get_args(type_)) for path, type_ in paths(model) if get_origin(type_) is Literal}


def values(enum: type[Enum]) -> set[str]:
    return {member.value for member in enum}


def mechanical_name(value: str) -> str:
    """Apply the one rule by which an upstream value becomes a GraphQL name."""
    spelled_out = re.sub(r"^3d", "three-d", value)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", spelled_out)
    return re.sub(r"[^A-Z0-9]+", "_", words.upper())


def is_sentence(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"\S.*\.", text) is not None


@pytest.mark.parametrize("model", SDK_ASSETS)
def test_every_field_that_the_sdk_enumerates_is_an_enum_here_or_a_string_on_purpose(model: type) -> None:
    assert set(literals(model)) == set(ENUM_OF) | STRINGS_ON_PURPOSE


@pytest.mark.parametrize("model", SDK_ASSETS)
def test_every_value_that_the_sdk_enumerates_is_a_member_here(model: type) -> None:
    missing = {path: literals(model)[path] - values(enum) for path, enum in ENUM_OF.items()}
    assert {path: new for path, new in missing.items() if new} == {}


def test_assets_can_be_filtered_by_every_type_and_downloaded_in_every_format_that_the_sdk_offers() -> None:
    filters = literals(AssetListParams)
    assert filters.keys() == {"type", "types"}
    assert filters["types"] - values(asset_types.AssetType) == set()
    formats = literals(DownloadRequestParams)
    assert formats == {"target_format": values(enums.AssetFormat)}


@pytest.mark.parametrize("model", SDK_ASSETS)
def test_the_wire_types_have_the_keys_of_the_sdk_on_every_level(model: type) -> None:
    assert {path for path, _ in paths(wire.Asset)} == {path for path, _ in paths(model)}


@pytest.mark.parametrize("type_", WIRE_OF)
def test_a_graphql_type_has_exactly_the_fields_of_its_wire_type(type_: type) -> None:
    graphql_type = TYPE_MAP[type_.__name__]
    assert isinstance(graphql_type, GraphQLObjectType)
    assert set(graphql_type.fields) == set(fields_of(WIRE_OF[type_]))


def test_an_asset_has_111_fields_of_metadata_and_29_properties() -> None:
    assert len(fields_of(wire.AssetMetadata)) == 111
    assert len(fields_of(wire.AssetProperties)) == 29


def test_metadata_promises_only_what_it_can_make_up_for() -> None:
    metadata = TYPE_MAP["AssetMetadata"]
    assert isinstance(metadata, GraphQLObjectType)
    required = {name for name, field in metadata.fields.items() if isinstance(field.type, GraphQLNonNull)}
    assert required == {"kind", "type"}


@pytest.mark.parametrize("type_", [*WIRE_OF, AssetImage])
def test_every_type_and_field_says_in_a_sentence_what_it_is(type_: type) -> None:
    graphql_type = TYPE_MAP[type_.__name__]
    assert isinstance(graphql_type, GraphQLObjectType)
    described = [graphql_type.description, *(field.description for field in graphql_type.fields.values())]
    assert [text for text in described if not is_sentence(text)] == []


@pytest.mark.parametrize("enum", OWN_ENUMS)
def test_every_enum_and_member_says_in_a_sentence_what_it_is(enum: type[Enum]) -> None:
    graphql_type = TYPE_MAP[enum.__name__]
    assert isinstance(graphql_type, GraphQLEnumType)
    described = [graphql_type.description, *(member.description for member in graphql_type.values.values())]
    assert [text for text in described if not is_sentence(text)] == []


@pytest.mark.parametrize("enum", OWN_ENUMS)
def test_a_member_is_named_after_its_upstream_value_and_found_by_it(enum: type[Enum]) -> None:
    assert {name: enum(member.value) for name, member in enum.__members__.items()} == dict(enum.__members__)
    assert list(enum.__members__) == [mechanical_name(member.value) for member in enum]


@pytest.mark.parametrize("enum", [enum for enum in OWN_ENUMS if issubclass(enum, UpstreamEnum)])
def test_an_enum_that_scenario_owns_ends_in_unknown(enum: type[Enum]) -> None:
    assert list(enum.__members__)[-1] == "UNKNOWN"


def test_a_source_is_described_as_its_type_is_and_an_older_spelling_names_the_type() -> None:
    source = TYPE_MAP["AssetSource"]
    assert isinstance(source, GraphQLEnumType)
    assert source.values["TXT2IMG"].description == "An image generated from text."
    assert source.values["TEXTURE_HEIGHT"].description == "The height map of a texture."
    assert source.values["INFERENCE_TXT"].description == "An image inferred from text; as a type, INFERENCE_TXT2IMG."


def test_a_value_never_seen_before_is_unknown_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gateway"):
        read = [document(AssetMetadata, {"type": "img2hologram"}).type for _ in range(3)]
    assert read == [asset_types.AssetType.UNKNOWN] * 3
    assert drift.counts["AssetType", "img2hologram"] == 3
    assert len(caplog.messages) == 1
    assert "'img2hologram'" in caplog.messages[0]


@pytest.mark.parametrize(
    ("seed", "read"),
    [
        ("1234567890123456789", "1234567890123456789"),
        (42, "42"),
        (0, "0"),
        (4294967295.0, "4294967295"),
        (0.5, "0.5"),
        ("", ""),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_seed_may_be_a_string_or_a_number(seed: object, read: str | None) -> None:
    assert document(AssetMetadata, {"seed": seed}).seed == read


def test_metadata_without_any_key_has_an_unknown_kind_and_type_and_no_more() -> None:
    metadata = document(AssetMetadata, {})
    assert (metadata.kind, metadata.type) == (enums.AssetKind.UNKNOWN, asset_types.AssetType.UNKNOWN)
    assert (metadata.seed, metadata.style, metadata.concepts, metadata.thumbnail) == (None, None, None, None)


def test_a_key_that_camel_case_would_miss_is_read() -> None:
    properties = document(AssetProperties, {"hasUVs": True, "nbFrames": 250, "cameraMode": "turntable"})
    assert (properties.has_uvs, properties.nb_frames, properties.camera_mode) == (True, 250, enums.CameraMode.TURNTABLE)


def test_a_thumbnail_says_when_its_url_stops_working() -> None:
    thumbnail = {"assetId": "asset_1", "url": "https://cdn.example/asset_1?Expires=1700000000"}
    image = document(AssetMetadata, {"thumbnail": thumbnail}).thumbnail
    assert image is not None
    assert (image.asset_id, image.url) == ("asset_1", thumbnail["url"])
    assert image.url_expires_at is not None
    assert image.url_expires_at.isoformat() == "2023-11-14T22:13:20+00:00"
