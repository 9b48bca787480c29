"""How each key of an asset's metadata is made up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from gateway.sandbox.moments import HOUR, iso

LOOKS = ("weathered", "glossy", "hand-painted", "low-poly", "luminous", "stylised", "photoreal", "moody")
SUBJECTS = (
    "running shoes",
    "a standing athlete",
    "a desert temple",
    "a forest path",
    "a leather jacket",
    "a blue vase",
)
LIGHTS = ("at dawn", "in studio light", "under neon", "in soft fog", "at golden hour", "on a white background")

MODEL_TYPES = (
    "flux.1",
    "flux.1-lora",
    "flux.1-kontext-dev",
    "flux.2-dev-lora",
    "gpt-image-1",
    "qwen-image-lora",
    "custom",
)
MODALITIES = ("canny", "depth", "grayscale", "lineart_anime", "normal", "pose", "scribble", "segmentation")
STYLES = ("3d-rendered", "anime", "cinematic", "fantasy", "minimalist", "oil-painting", "photography", "standard")
EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Draft:
    """An asset in the making: what the values of its metadata depend on."""

    rng: Random
    asset_id: str
    created_at: float
    width: int
    height: int
    project_id: str
    images: Sequence[str]
    model_id: str
    inference_id: str


Maker: TypeAlias = Callable[[Draft], object]


def one_of(*values: object) -> Maker:
    """One of these values."""
    return lambda draft: draft.rng.choice(values)


def whole(low: int, high: int) -> Maker:
    """A whole number of this range."""
    return lambda draft: draft.rng.randint(low, high)


def number(low: float, high: float) -> Maker:
    """A number of this range with two decimals."""
    return lambda draft: round(draft.rng.uniform(low, high), 2)


def image(draft: Draft) -> str:
    """The id of an image made earlier."""
    return draft.rng.choice(draft.images)


def images(draft: Draft) -> list[str]:
    """One or two ids of images made earlier."""
    return [image(draft) for _ in range(draft.rng.randint(1, 2))]


def prompt(draft: Draft) -> str:
    """A few words that might have made a picture."""
    return f"{draft.rng.choice(LOOKS)} {draft.rng.choice(SUBJECTS)} {draft.rng.choice(LIGHTS)}"


def job_id(draft: Draft) -> str:
    """The id of the job that made the asset."""
    return draft.inference_id.replace("inf_", "job_")


def yes_or_no(draft: Draft) -> bool:
    """One or the other."""
    return draft.rng.random() < EVEN


fidelity = number(0, 1)
percentage = whole(0, 100)
threshold = whole(1, 255)


MAKERS: dict[str, Maker] = {
    "angular": fidelity,
    "aspectRatio": one_of("1:1", "3:2", "16:9"),
    "backgroundOpacity": fidelity,
    "baseModelId": one_of("flux.1-dev", "flux.2-dev", "qwen-image"),
    "bbox": lambda draft: [0, 0, draft.width // 2, draft.height // 2],
    "betterQuality": yes_or_no,
    "cannyStructureImage": image,
    "clustering": yes_or_no,
    "colorCorrection": yes_or_no,
    "colorMode": one_of("color", "binary"),
    "colorPrecision": whole(1, 8),
    "concepts": lambda draft: [{"modelId": draft.model_id, "scale": 0.8, "modelEpoch": "000002"}],
    "contours": lambda draft: [[[[0, 0], [draft.width, 0], [draft.width, draft.height], [0, 0]]]],
    "controlEnd": fidelity,
    "copiedAt": lambda draft: iso(draft.created_at + HOUR),
    "cornerThreshold": threshold,
    "creativity": percentage,
    "creativityDecay": percentage,
    "defaultParameters": yes_or_no,
    "depthFidelity": percentage,
    "depthImage": image,
    "detailsLevel": whole(-10, 10),
    "dilate": whole(0, 30),
    "factor": number(0, 2),
    "fileName": one_of("avatar.obj.mtl", "texture.png"),
    "filterSpeckle": whole(1, 16),
    "fractality": percentage,
    "geometryEnforcement": fidelity,
    "guidance": number(1, 12),
    "halfMode": yes_or_no,
    "hdr": percentage,
    "height": lambda draft: draft.height,
    "highThreshold": threshold,
    "horizontalExpansionRatio": number(1, 2),
    "image": image,
    "imageFidelity": percentage,
    "imageType": one_of("seamfull", "skybox", "texture"),
    "inferenceId": lambda draft: draft.inference_id,
    "inputFidelity": one_of("high", "low"),
    "inputLocation": one_of("bottom", "left", "middle", "right", "top"),
    "invert": yes_or_no,
    "keepsFileNames": yes_or_no,
    "keypointThreshold": fidelity,
    "layerDifference": threshold,
    "lengthThreshold": number(1, 10),
    "lowThreshold": threshold,
    "mask": image,
    "maxIterations": whole(1, 20),
    "maxThreshold": threshold,
    "minThreshold": threshold,
    "modality": one_of(*MODALITIES),
    "mode": one_of("spline", "polygon", "none"),
    "modelId": lambda draft: draft.model_id,
    "modelType": one_of(*MODEL_TYPES),
    "name": prompt,
    "nbMasks": whole(1, 5),
    "negativePrompt": one_of("blurry", "text, watermark"),
    "negativePromptStrength": fidelity,
    "numInferenceSteps": whole(8, 50),
    "numOutputs": whole(1, 4),
    "originalAssetId": image,
    "outputIndex": whole(0, 3),
    "overlapPercentage": fidelity,
    "overrideEmbeddings": yes_or_no,
    "parentJobId": job_id,
    "pathPrecision": whole(1, 8),
    "points": lambda draft: [[1, draft.width // 2, draft.height // 2], [0, 0, 0]],
    "polished": fidelity,
    "preset": one_of("precise", "balanced", "creative"),
    "progressPercent": percentage,
    "prompt": prompt,
    "promptFidelity": percentage,
    "raised": fidelity,
    "referenceImages": images,
    "refinementSteps": whole(0, 4),
    "removeBackground": yes_or_no,
    "resizeOption": fidelity,
    "resultContours": yes_or_no,
    "resultImage": yes_or_no,
    "resultMask": yes_or_no,
    "saveFlipbook": yes_or_no,
    "scalingFactor": one_of(1, 2, 4),
    "scheduler": one_of("EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"),
    "seed": lambda draft: str(draft.rng.getrandbits(64)),
    "sharpen": yes_or_no,
    "shiny": fidelity,
    "size": whole(10_000, 9_000_000_000),
    "sketch": yes_or_no,
    "sourceProjectId": lambda draft: draft.project_id,
    "spliceThreshold": threshold,
    "strength": fidelity,
    "structureFidelity": percentage,
    "structureImage": image,
    "style": one_of(*STYLES),
    "styleFidelity": percentage,
    "styleImages": images,
    "styleImagesFidelity": percentage,
    "targetHeight": lambda draft: 2 * draft.height,
    "targetWidth": lambda draft: 2 * draft.width,
    "text": prompt,
    "texture": image,
    # The address is put in when the asset is shown.
    "thumbnail": lambda draft: {"assetId": image(draft), "url": ""},
    "tileStyle": yes_or_no,
    "trainingImage": yes_or_no,
    "verticalExpansionRatio": number(1, 2),
    "width": lambda draft: draft.width,
}
