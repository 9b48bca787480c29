"""The 81 types of Scenario assets: how each is spelled as a source, what file it is, and what its metadata tells."""

from dataclasses import dataclass

SOURCE_SPELLINGS = (
    ("inference-controlnet-img2img", "inference-control-net-img"),
    ("inference-controlnet-inpaint", "inference-control-net-inpainting"),
    ("inference-controlnet", "inference-control-net"),
    ("inference-img2img", "inference-img"),
    ("inference-inpaint", "inference-in-paint"),
    ("inference-txt2img", "inference-txt"),
    ("3d23d-texture", "3d23d:texture"),
    ("3d-texture-", "3d:texture:"),
    ("3d-texture", "3d:texture"),
    ("texture-", "texture:"),
)


@dataclass(frozen=True, slots=True)
class Family:
    """Types that yield the same kind of file and the same metadata; `derived` ones have a parent."""

    kind: str
    mime_type: str
    metadata: tuple[str, ...]
    types: tuple[str, ...]
    derived: bool = True


PROMPTED = (
    *("prompt", "negativePrompt", "negativePromptStrength", "seed", "guidance", "numInferenceSteps", "scheduler"),
    *("numOutputs", "outputIndex", "modelId", "baseModelId", "modelType", "inferenceId", "width", "height"),
    *("aspectRatio", "concepts", "overrideEmbeddings", "parentJobId"),
)
GUIDED = (
    *(*PROMPTED, "image", "strength", "referenceImages", "styleImages", "styleFidelity", "structureImage"),
    *("structureFidelity", "depthImage", "depthFidelity", "cannyStructureImage", "controlEnd", "inputFidelity"),
)
ENLARGED = (
    *("image", "scalingFactor", "targetWidth", "targetHeight", "creativity", "creativityDecay", "detailsLevel"),
    *("fractality", "imageFidelity", "imageType", "promptFidelity", "refinementSteps", "sharpen", "hdr", "halfMode"),
    *("styleImages", "styleImagesFidelity", "tileStyle", "colorCorrection", "betterQuality", "preset", "style"),
    *("overlapPercentage", "width", "height", "inferenceId", "parentJobId"),
)
DETECTED = (
    *("image", "modality", "lowThreshold", "highThreshold", "minThreshold", "maxThreshold", "keypointThreshold"),
    *("factor", "sketch", "removeBackground", "parentJobId"),
)
SEGMENTED = (
    *("image", "bbox", "points", "contours", "dilate", "mask", "nbMasks", "text"),
    *("resultContours", "resultImage", "resultMask", "backgroundOpacity"),
)
TRACED = (
    *("image", "clustering", "colorMode", "colorPrecision", "cornerThreshold", "filterSpeckle", "layerDifference"),
    *("lengthThreshold", "maxIterations", "mode", "pathPrecision", "preset", "spliceThreshold"),
)
REFRAMED = (
    *("image", "prompt", "inputLocation", "resizeOption", "horizontalExpansionRatio", "verticalExpansionRatio"),
    *("targetWidth", "targetHeight", "width", "height", "overlapPercentage"),
)
TEXTURED = ("texture", "angular", "polished", "raised", "shiny", "invert", "saveFlipbook", "defaultParameters")
SKYBOX = (*PROMPTED, "style", "geometryEnforcement", "depthImage")
UPLOADED = ("name", "size")
MODELLED = ("prompt", "seed", "modelId", "modelType", "inferenceId", "outputIndex", "parentJobId", "name")

FAMILIES = (
    Family(
        "image",
        "image/png",
        PROMPTED,
        ("inference-txt2img", "inference-txt2img-ip-adapter", "inference-txt2img-texture", "txt2img"),
        derived=False,
    ),
    Family(
        "image",
        "image/png",
        GUIDED,
        (
            *("inference-img2img", "inference-img2img-ip-adapter", "inference-img2img-texture", "inference-reference"),
            *("inference-reference-texture", "inference-controlnet", "inference-controlnet-ip-adapter"),
            *("inference-controlnet-img2img", "inference-controlnet-reference", "inference-controlnet-texture"),
            *("image-prompt-editing", "img2img", "video2img"),
        ),
    ),
    Family(
        "image",
        "image/png",
        (*GUIDED, "mask"),
        (
            *("inference-inpaint", "inference-inpaint-ip-adapter", "inference-controlnet-inpaint"),
            *("inference-controlnet-inpaint-ip-adapter", "generative-fill"),
        ),
    ),
    Family("image", "image/png", ENLARGED, ("upscale", "upscale-texture", "upscale-skybox", "restyle")),
    Family("image", "image/png", REFRAMED, ("reframe",)),
    Family("image", "image/png", DETECTED, ("detection",)),
    Family(
        "image",
        "image/png",
        SEGMENTED,
        ("segment", "segmentation-image", "segmentation-mask", "patch", "background-removal", "pixelization"),
    ),
    Family("image", "image/svg+xml", TRACED, ("vectorization",)),
    Family(
        "image",
        "image/png",
        TEXTURED,
        (
            *("texture", "texture-height", "texture-normal", "texture-smoothness", "texture-metallic"),
            *("texture-edge", "texture-ao", "texture-albedo"),
        ),
    ),
    Family("image", "image/png", SKYBOX, ("skybox-base-360",), derived=False),
    Family("image-hdr", "image/png", SKYBOX, ("skybox-hdri",)),
    Family("3d", "model/gltf-binary", SKYBOX, ("skybox-3d",)),
    Family(
        "image",
        "image/png",
        (*UPLOADED, "trainingImage", "copiedAt", "sourceProjectId", "originalAssetId"),
        ("uploaded", "uploaded-avatar"),
        derived=False,
    ),
    Family("json", "application/json", ("name", "thumbnail"), ("canvas",), derived=False),
    Family("image", "image/png", ("name",), ("canvas-export", "canvas-drawing")),
    Family("3d", "model/gltf-binary", MODELLED, ("img23d", "txt23d", "video23d", "3d23d", "3d23d-texture")),
    Family("3d", "model/ply", MODELLED, ("img2splat",)),
    Family("3d", "model/obj", (*UPLOADED, "keepsFileNames"), ("uploaded-3d",), derived=False),
    Family("3d", "model/mtl", ("fileName", "keepsFileNames"), ("3d-texture-mtl",)),
    Family(
        "image",
        "image/png",
        ("fileName",),
        ("3d-texture", "3d-texture-albedo", "3d-texture-normal", "3d-texture-roughness", "3d-texture-metallic"),
    ),
    Family("audio", "audio/wav", MODELLED, ("txt2audio", "audio2audio", "video2audio", "voice-clone")),
    Family("audio", "audio/mpeg", UPLOADED, ("uploaded-audio",), derived=False),
    Family("video", "video/mp4", MODELLED, ("img2video", "txt2video", "audio2video", "video2video", "upscale-video")),
    Family("video", "video/mp4", UPLOADED, ("uploaded-video",), derived=False),
    Family("text", "text/plain", MODELLED, ("txt2txt", "img2txt", "audio2txt", "video2txt")),
    Family("text", "text/plain", UPLOADED, ("uploaded-text",), derived=False),
    Family("document", "application/pdf", UPLOADED, ("unknown",), derived=False),
)

TYPES = {name: family for family in FAMILIES for name in family.types}


def source_of(asset_type: str) -> str:
    """The spelling of a type in `Asset.source`."""
    for spelling, older in SOURCE_SPELLINGS:
        if asset_type.startswith(spelling):
            return older + asset_type.removeprefix(spelling)
    return asset_type
