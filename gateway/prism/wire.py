"""Prism's documents in Prism's own words: what the Hosted API answers, key by key."""

from typing import Required, TypedDict


class Weight(TypedDict, total=False):
    """A body weight; `unit` is `kg` or `lb`."""

    value: Required[float]
    unit: Required[str]


class Height(TypedDict, total=False):
    """A body height; `unit` is `m` or `in`."""

    value: Required[float]
    unit: Required[str]


class ScanAssets(TypedDict, total=False):
    """`GET /scans/{id}/scan-assets`; a stage is `started`, `succeeded`, `failed` or null."""

    id: Required[str]
    scanId: Required[str]
    captureData: Required[str | None]
    captureDataUpdatedAt: Required[str | None]
    body: Required[str | None]
    bodyUpdatedAt: Required[str | None]
    fittedBody: str | None
    fittedBodyUpdatedAt: Required[str | None]
    measurement: str | None
    measurementUpdatedAt: Required[str | None]
    createdAt: Required[str]
    updatedAt: Required[str]


class ScanAssetUrls(TypedDict, total=False):
    """`GET /scans/{id}/asset-urls`; null where no such file exists. `captureVideo` came in 2026-05."""

    previewImage: Required[str | None]
    model: Required[str | None]
    canonicalBody: Required[str | None]
    texture: Required[str | None]
    material: Required[str | None]
    stripes: Required[str | None]
    captureVideo: str | None


class Scan(TypedDict, total=False):
    """`GET /scans/{id}`; `scanAssets` may be embedded."""

    id: Required[str]
    status: Required[str]
    prismScanId: Required[str]
    deviceConfigName: Required[str]
    assetConfigId: Required[str]
    weight: Required[Weight]
    height: Required[Height]
    userId: Required[str]
    userToken: Required[str]
    createdAt: Required[str]
    updatedAt: Required[str]
    scanAssets: ScanAssets | None


class Error(TypedDict, total=False):
    """The body of a refusal, as NestJS writes it; the Hosted API documents none."""

    statusCode: int
    message: str | list[str]
    error: str
