"""Scenario's documents in Scenario's own words, as its SDK 2.4.0 describes them; numbers arrive as int or float."""

from typing import Required, TypedDict

from gateway.scenario.wire_metadata import AssetImage as AssetImage
from gateway.scenario.wire_metadata import AssetMetadata as AssetMetadata
from gateway.scenario.wire_metadata import MetadataConcept as MetadataConcept


class QualityGateDimension(TypedDict, total=False):
    """Why one dimension of the quality gate scored as it did."""

    reasons: Required[list[str]]
    score: Required[float]
    suggestions: Required[list[str]]


class QualityGateDetails(TypedDict, total=False):
    """Per-dimension reasons; only with `withQualityGateDetails` and for the owning project."""

    aiQuality: Required[QualityGateDimension]
    briefCompliance: QualityGateDimension


class QualityGate(TypedDict, total=False):
    """The result of Scenario's quality gate, computed after generation."""

    computedAt: Required[str]
    status: Required[str]
    version: Required[str]
    aiQualityScore: float
    appliedBriefIds: list[str]
    briefComplianceScore: float
    details: QualityGateDetails
    error: str
    overallScore: float
    sensitivity: str
    verdict: str


class CameraKeyframe(TypedDict, total=False):
    """One explicit camera keyframe of a splat's preview."""

    position: Required[list[float]]
    target: Required[list[float]]
    fov: float


class Transcription(TypedDict, total=False):
    """What is said in an audio asset."""

    text: Required[str]


class AssetProperties(TypedDict, total=False):
    """What the file is: 29 keys, of which an asset carries those of its kind."""

    size: Required[float]
    animationFrameCount: float
    bitrate: float
    boneCount: float
    cameraMode: str
    cameraTrajectory: list[CameraKeyframe]
    channels: float
    charCount: float
    classification: str
    codecName: str
    description: str
    dimensions: list[float]
    duration: float
    faceCount: float
    format: str
    frameRate: float
    hasAnimations: bool
    hasFullPreview: bool
    hasNormals: bool
    hasSkeleton: bool
    hasUVs: bool
    height: float
    nbFrames: float
    preview: str
    sampleRate: float
    transcription: Transcription
    vertexCount: float
    width: float
    wordCount: float


class Asset(TypedDict, total=False):
    """One file that Scenario holds."""

    id: Required[str]
    authorId: Required[str]
    collectionIds: Required[list[str]]
    createdAt: Required[str]
    editCapabilities: Required[list[str]]
    kind: Required[str]
    metadata: Required[AssetMetadata]
    mimeType: Required[str]
    ownerId: Required[str]
    privacy: Required[str]
    properties: Required[AssetProperties]
    source: Required[str]
    status: Required[str]
    tags: Required[list[str]]
    updatedAt: Required[str]
    url: Required[str]
    automaticCaptioning: str
    deletedAt: str
    description: str
    embedding: list[float]
    firstFrame: AssetImage
    isHidden: bool
    lastFrame: AssetImage
    nsfw: list[str]
    originalFileUrl: str
    originalMimeType: str
    outputIndex: float
    preview: AssetImage
    qualityGate: QualityGate
    thumbnail: AssetImage


class AssetAnswer(TypedDict):
    """`GET /assets/{assetId}`, and the answer of unlock."""

    asset: Asset


class AssetsAnswer(TypedDict, total=False):
    """`GET /assets`, and without a token `POST /assets/get-bulk`."""

    assets: Required[list[Asset]]
    nextPaginationToken: str | None


class LockBody(TypedDict):
    """What `PUT /assets/{assetId}/lock` takes."""

    lockExpiresAt: str


class UnlockBody(TypedDict, total=False):
    """What `PUT /assets/{assetId}/unlock` takes."""

    lockId: str
    forceUnlock: bool


class TagsBody(TypedDict, total=False):
    """What `PUT /assets/{assetId}/tags` takes; not `strict`, it may be said twice."""

    add: list[str]
    delete: list[str]
    strict: bool


class TagsAnswer(TypedDict):
    """`PUT /assets/{assetId}/tags`: what was changed."""

    added: list[str]
    deleted: list[str]


class SearchBody(TypedDict, total=False):
    """What `POST /search/assets` takes, as far as it is used: a filter, or words; a page goes by either pair."""

    filter: str
    query: str
    offset: float
    limit: float
    page: float
    hitsPerPage: float
    sortBy: list[str]
    public: bool


class SearchHit(TypedDict, total=False):
    """What is found: less than an asset."""

    id: Required[str]
    authorId: Required[str]
    collectionIds: Required[list[str]]
    createdAt: Required[str]
    metadata: Required[AssetMetadata]
    mimeType: Required[str]
    nsfw: Required[list[str]]
    ownerId: Required[str]
    privacy: Required[str]
    tags: Required[list[str]]
    teamId: Required[str]
    updatedAt: Required[str]
    url: Required[str]


class SearchAnswer(TypedDict, total=False):
    """`POST /search/assets`, by offset and limit, or by page and hitsPerPage."""

    hits: Required[list[SearchHit]]
    offset: float
    limit: float
    estimatedTotalHits: float
    page: float
    hitsPerPage: float
    totalPages: float
    totalHits: float


class DownloadBody(TypedDict, total=False):
    """What `POST /assets/{assetId}/download` takes."""

    targetFormat: str


class DownloadAnswer(TypedDict, total=False):
    """What `POST /assets/{assetId}/download` answers."""

    url: Required[str]
    mimeType: str


class BatchOptions(TypedDict, total=False):
    """How a batch is packed."""

    fileNameTemplate: Required[str]
    flat: bool
    archiveName: str
    preferOriginal: bool


class BatchQuery(TypedDict):
    """What goes into a batch: all three lists are required, at most 1,000 assets together."""

    assetIds: list[str]
    inferenceIds: list[str]
    modelIds: list[str]


class BatchBody(TypedDict):
    """What `POST /assets/download` takes."""

    options: BatchOptions
    query: BatchQuery


class BatchAnswer(TypedDict):
    """What `POST /assets/download` answers."""

    jobId: str


class DryRunAnswer(TypedDict):
    """What a request with `dryRun` answers, with HTTP status 269."""

    creativeUnitsCost: float


class DownloadJob(TypedDict, total=False):
    """`GET /assets/download/{jobId}`; `jobStatus` is an open string."""

    jobId: Required[str]
    jobStatus: Required[str]
    downloadUrl: str
