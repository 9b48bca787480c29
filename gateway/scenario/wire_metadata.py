"""How an asset came to be, in Scenario's own words: the largest part of its documents."""

from typing import Required, TypedDict


class MetadataConcept(TypedDict, total=False):
    """A LoRA that styled the image."""

    modelId: Required[str]
    scale: Required[float]
    modelEpoch: str


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
