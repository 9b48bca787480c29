"""Prism's enums, under GraphQL's names."""

from enum import Enum

import strawberry

from gateway.graph.enums import UpstreamEnum, unknown, value


@strawberry.enum(description="Where a scan stands.")
class ScanStatus(UpstreamEnum):
    """`Scan.status`."""

    CREATED = value("CREATED", "The scan is registered; nothing is processed yet.")
    PROCESSING = value("PROCESSING", "Its assets are being generated.")
    READY = value("READY", "Every result is there.")
    FAILED = value("FAILED", "It could not be processed.")
    UNKNOWN = unknown()


@strawberry.enum(description="Where one stage of a scan's assets stands.")
class StageStatus(UpstreamEnum):
    """`ScanAssets.body` and its like."""

    PENDING = value("pending", "It has not begun.")
    STARTED = value("started", "It is under way.")
    SUCCEEDED = value("succeeded", "Its assets are there.")
    FAILED = value("failed", "It failed, and what follows it does not start.")
    UNKNOWN = unknown()


@strawberry.enum(description="What a scan was captured with.")
class DeviceConfig(UpstreamEnum):
    """`Scan.deviceConfigName`."""

    IPHONE_SCANNER = value("IPHONE_SCANNER", "The scanner for iPhone.")
    ANDROID_SCANNER = value("ANDROID_SCANNER", "The scanner for Android.")
    UNKNOWN = unknown()


@strawberry.enum(description="The unit of a weight.")
class WeightUnit(UpstreamEnum):
    """`Weight.unit`."""

    KG = value("kg", "Kilograms.")
    LB = value("lb", "Pounds.")
    UNKNOWN = unknown()


@strawberry.enum(description="The unit of a height.")
class HeightUnit(UpstreamEnum):
    """`Height.unit`."""

    M = value("m", "Metres.")
    IN = value("in", "Inches.")
    UNKNOWN = unknown()


@strawberry.enum(description="One file of a scan that has a signed URL.")
class ScanAssetType(Enum):
    """The last part of `GET /scans/{id}/asset-urls/{assetType}`."""

    PREVIEW_IMAGE = value("preview-image", "The preview: a PNG.")
    MODEL = value("model", "The body's mesh: OBJ or PLY, as the scan was configured.")
    STRIPES = value("stripes", "The bands that mark the measurements; mostly absent.")
    CANONICAL_BODY = value("canonical-body", "The body in the canonical pose.")
    TEXTURE = value("texture", "The texture of a textured mesh: a PNG.")
    MATERIAL = value("material", "The material of a textured mesh: an MTL, to be saved as `avatar.obj.mtl`.")
    CAPTURE_VIDEO = value("capture-video", "The video that the scan was made from.")
