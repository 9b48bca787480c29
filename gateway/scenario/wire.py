"""Scenario's documents in Scenario's own words, as its SDK 2.4.0 describes them; numbers arrive as int or float."""

from typing import Required, TypedDict


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


class MetadataConcept(TypedDict, total=False):
    """A LoRA that styled the image."""

    modelId: Required[str]
    scale: Required[float]
    modelEpoch: str


class CameraKeyframe(TypedDict, total=False):
    """One explicit camera keyframe of a splat's preview."""

    position: Required[list[float]]
    target: Required[list[float]]
    fov: float


class Transcription(TypedDict, total=False):
    """What is said in an audio asset."""

    text: Required[str]


class AssetImage(TypedDict, total=False):
    """An image that stands for an asset: preview, thumbnail, first or last frame."""

    assetId: Required[str]
    url: Required[str]


class AssetMetadata(TypedDict, total=False):
    """How an asset came to be: 111 keys, of which an asset carries those of its type."""

    kind: Required[str]
    type: Required[str]
    angular: float
    aspectRatio: str
    backgroundOpacity: float
    baseModelId: str
    bbox: list[float]
    betterQuality: bool
    cannyStructureImage: str
    clustering: bool
    colorCorrection: bool
    colorMode: str
    colorPrecision: float
    concepts: list[MetadataConcept]
    contours: list[list[list[list[float]]]]
    controlEnd: float
    copiedAt: str
    cornerThreshold: float
    creativity: float
    creativityDecay: float
    defaultParameters: bool
    depthFidelity: float
    depthImage: str
    detailsLevel: float
    dilate: float
    factor: float
    fileName: str
    filterSpeckle: float
    fractality: float
    geometryEnforcement: float
    guidance: float
    halfMode: bool
    hdr: float
    height: float
    highThreshold: float
    horizontalExpansionRatio: float
    image: str
    imageFidelity: float
    imageType: str
    inferenceId: str
    inputFidelity: str
    inputLocation: str
    invert: bool
    keepsFileNames: bool
    keypointThreshold: float
    layerDifference: float
    lengthThreshold: float
    lockExpiresAt: str
    lowThreshold: float
    mask: str
    maxIterations: float
    maxThreshold: float
    minThreshold: float
    modality: str
    mode: str
    modelId: str
    modelType: str
    name: str
    nbMasks: float
    negativePrompt: str
    negativePromptStrength: float
    numInferenceSteps: float
    numOutputs: float
    originalAssetId: str
    outputIndex: float
    overlapPercentage: float
    overrideEmbeddings: bool
    parentId: str
    parentJobId: str
    pathPrecision: float
    points: list[list[float]]
    polished: float
    preset: str
    progressPercent: float
    prompt: str
    promptFidelity: float
    raised: float
    referenceImages: list[str]
    refinementSteps: float
    removeBackground: bool
    resizeOption: float
    resultContours: bool
    resultImage: bool
    resultMask: bool
    rootParentId: str
    saveFlipbook: bool
    scalingFactor: float
    scheduler: str
    seed: str | float
    sharpen: bool
    shiny: float
    size: float
    sketch: bool
    sourceProjectId: str
    spliceThreshold: float
    strength: float
    structureFidelity: float
    structureImage: str
    style: str
    styleFidelity: float
    styleImages: list[str]
    styleImagesFidelity: float
    targetHeight: float
    targetWidth: float
    text: str
    texture: str
    thumbnail: AssetImage
    tileStyle: bool
    trainingImage: bool
    verticalExpansionRatio: float
    width: float


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


class LockAnswer(TypedDict, total=False):
    """`PUT /assets/{assetId}/lock`."""

    asset: Required[Asset]
    lockId: str


class LockBody(TypedDict):
    """What `PUT /assets/{assetId}/lock` takes."""

    lockExpiresAt: str


class UnlockBody(TypedDict, total=False):
    """What `PUT /assets/{assetId}/unlock` takes."""

    lockId: str
    forceUnlock: bool


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
