"""The closed vocabularies of Scenario's assets, apart from how an asset came to be (`asset_types.py`)."""

from enum import Enum

import strawberry

from gateway.graph.enums import UpstreamEnum, unknown, value


@strawberry.enum(description="What an asset holds.")
class AssetKind(UpstreamEnum):
    THREE_D = value("3d", "A 3D model, splat or scene.")
    AUDIO = value("audio", "Audio.")
    DOCUMENT = value("document", "A document such as a canvas.")
    IMAGE = value("image", "An image; a skybox is one too.")
    IMAGE_HDR = value("image-hdr", "An image in high dynamic range.")
    JSON = value("json", "A JSON file.")
    TEXT = value("text", "Text.")
    VIDEO = value("video", "A video.")
    UNKNOWN = unknown()


@strawberry.enum(description="Whether an asset's file is there.")
class AssetStatus(UpstreamEnum):
    ERROR = value("error", "Making or importing it failed.")
    PENDING = value("pending", "It is still being made or imported.")
    SUCCESS = value("success", "It is complete.")
    UNKNOWN = unknown()


@strawberry.enum(description="Who can see an asset.")
class AssetPrivacy(UpstreamEnum):
    PRIVATE = value("private", "Its project sees it.")
    PUBLIC = value("public", "Everyone sees it, in every organization's list of public assets.")
    UNLISTED = value("unlisted", "It is in no public list, yet not private.")
    UNKNOWN = unknown()


@strawberry.enum(description="What Scenario's tools can do to an asset.")
class EditCapability(UpstreamEnum):
    DETECTION = value("DETECTION", "Detect control maps, such as edges or depth, in it.")
    GENERATIVE_FILL = value("GENERATIVE_FILL", "Fill a masked region of it from a prompt.")
    PIXELATE = value("PIXELATE", "Turn it into pixel art.")
    PROMPT_EDITING = value("PROMPT_EDITING", "Edit it by an instruction in words.")
    REFINE = value("REFINE", "Refine its details.")
    REFRAME = value("REFRAME", "Extend it to another frame.")
    REMOVE_BACKGROUND = value("REMOVE_BACKGROUND", "Remove its background.")
    SEGMENTATION = value("SEGMENTATION", "Mark or cut out objects in it.")
    UPSCALE = value("UPSCALE", "Enlarge it with added detail.")
    UPSCALE_360 = value("UPSCALE_360", "Enlarge it as a 360-degree skybox.")
    VECTORIZATION = value("VECTORIZATION", "Trace it into vector paths.")
    UNKNOWN = unknown()


@strawberry.enum(description="What is heard in an audio asset.")
class AudioClassification(UpstreamEnum):
    EFFECT = value("effect", "A sound effect.")
    INTERVIEW = value("interview", "An interview.")
    MUSIC = value("music", "Music.")
    OTHER = value("other", "Something else.")
    SOUND = value("sound", "A sound.")
    SPEECH = value("speech", "Speech.")
    TEXT = value("text", "Spoken text.")
    UNKNOWN = unknown()


@strawberry.enum(
    description="The type of the model that made an asset; a LoRA is a small model trained on top of another."
)
class ModelType(UpstreamEnum):
    CUSTOM = value("custom", "A model with parameters of its own, of Scenario or of a third party.")
    ELEVENLABS_VOICE = value("elevenlabs-voice", "A voice of ElevenLabs.")
    FLUX_1 = value("flux.1", "FLUX.1.")
    FLUX_1_COMPOSITION = value("flux.1-composition", "Several LoRAs of FLUX.1 together.")
    FLUX_1_KONTEXT_DEV = value("flux.1-kontext-dev", "FLUX.1 Kontext [dev], for editing by instruction.")
    FLUX_1_KONTEXT_LORA = value("flux.1-kontext-lora", "A LoRA of FLUX.1 Kontext.")
    FLUX_1_KREA_DEV = value("flux.1-krea-dev", "FLUX.1 Krea [dev], for photorealism.")
    FLUX_1_KREA_LORA = value("flux.1-krea-lora", "A LoRA of FLUX.1 Krea.")
    FLUX_1_LORA = value("flux.1-lora", "A LoRA of FLUX.1.")
    FLUX_1_PRO = value("flux.1-pro", "FLUX.1 [pro].")
    FLUX_1_1_PRO_ULTRA = value("flux.1.1-pro-ultra", "FLUX 1.1 [pro] in ultra mode, for high resolutions.")
    FLUX_2_DEV_EDIT_LORA = value("flux.2-dev-edit-lora", "A LoRA of FLUX.2 [dev], for editing.")
    FLUX_2_DEV_LORA = value("flux.2-dev-lora", "A LoRA of FLUX.2 [dev].")
    FLUX_2_KLEIN_4B_EDIT_LORA = value("flux.2-klein-4b-edit-lora", "A LoRA of FLUX.2 [klein] 4B, for editing.")
    FLUX_2_KLEIN_4B_LORA = value("flux.2-klein-4b-lora", "A LoRA of FLUX.2 [klein] 4B.")
    FLUX_2_KLEIN_9B_EDIT_LORA = value("flux.2-klein-9b-edit-lora", "A LoRA of FLUX.2 [klein] 9B, for editing.")
    FLUX_2_KLEIN_9B_LORA = value("flux.2-klein-9b-lora", "A LoRA of FLUX.2 [klein] 9B.")
    FLUX_2_KLEIN_BASE_4B_EDIT_LORA = value(
        "flux.2-klein-base-4b-edit-lora", "A LoRA of FLUX.2 [klein] 4B Base, for editing."
    )
    FLUX_2_KLEIN_BASE_4B_LORA = value("flux.2-klein-base-4b-lora", "A LoRA of FLUX.2 [klein] 4B Base.")
    FLUX_2_KLEIN_BASE_9B_EDIT_LORA = value(
        "flux.2-klein-base-9b-edit-lora", "A LoRA of FLUX.2 [klein] 9B Base, for editing."
    )
    FLUX_2_KLEIN_BASE_9B_LORA = value("flux.2-klein-base-9b-lora", "A LoRA of FLUX.2 [klein] 9B Base.")
    FLUX1_1_PRO = value("flux1.1-pro", "FLUX 1.1 [pro].")
    GPT_IMAGE_1 = value("gpt-image-1", "OpenAI's GPT Image 1.")
    QWEN_IMAGE_2512_LORA = value("qwen-image-2512-lora", "A LoRA of Qwen-Image-2512.")
    QWEN_IMAGE_EDIT_2509_LORA = value("qwen-image-edit-2509-lora", "A LoRA of Qwen-Image-Edit-2509.")
    QWEN_IMAGE_EDIT_2511_LORA = value("qwen-image-edit-2511-lora", "A LoRA of Qwen-Image-Edit-2511.")
    QWEN_IMAGE_EDIT_LORA = value("qwen-image-edit-lora", "A LoRA of Qwen-Image-Edit.")
    QWEN_IMAGE_LORA = value("qwen-image-lora", "A LoRA of Qwen-Image.")
    SD_1_5 = value("sd-1_5", "Stable Diffusion 1.5, in old assets only.")
    SD_1_5_COMPOSITION = value("sd-1_5-composition", "Several LoRAs of Stable Diffusion 1.5, in old assets only.")
    SD_1_5_LORA = value("sd-1_5-lora", "A LoRA of Stable Diffusion 1.5, in old assets only.")
    SD_XL = value("sd-xl", "Stable Diffusion XL, in old assets only.")
    SD_XL_COMPOSITION = value("sd-xl-composition", "Several LoRAs of Stable Diffusion XL, in old assets only.")
    SD_XL_LORA = value("sd-xl-lora", "A LoRA of Stable Diffusion XL, in old assets only.")
    ZIMAGE_DE_TURBO_LORA = value("zimage-de-turbo-lora", "A LoRA of Z-Image De-Turbo.")
    ZIMAGE_LORA = value("zimage-lora", "A LoRA of Z-Image.")
    ZIMAGE_TURBO_LORA = value("zimage-turbo-lora", "A LoRA of Z-Image Turbo.")
    UNKNOWN = unknown()


@strawberry.enum(description="Whether an image repeats without a seam.")
class ImageType(UpstreamEnum):
    SEAMFULL = value("seamfull", "An ordinary image, whose edges do not meet.")
    SKYBOX = value("skybox", "A 360-degree image, whose left and right edges meet.")
    TEXTURE = value("texture", "A tile, whose opposite edges all meet.")
    UNKNOWN = unknown()


@strawberry.enum(description="How closely a generation keeps to the details of its input images.")
class InputFidelity(UpstreamEnum):
    HIGH = value("high", "Details such as faces and logos are kept.")
    LOW = value("low", "The input is followed loosely.")
    UNKNOWN = unknown()


@strawberry.enum(description="Where the input image stands in the extended output.")
class InputLocation(UpstreamEnum):
    BOTTOM = value("bottom", "At the bottom.")
    LEFT = value("left", "At the left.")
    MIDDLE = value("middle", "In the middle.")
    RIGHT = value("right", "At the right.")
    TOP = value("top", "At the top.")
    UNKNOWN = unknown()


@strawberry.enum(description="What a detection looks for in an image.")
class Modality(UpstreamEnum):
    CANNY = value("canny", "Edges, by the Canny detector.")
    DEPTH = value("depth", "The distance of each point from the camera.")
    GRAYSCALE = value("grayscale", "Brightness.")
    LINEART_ANIME = value("lineart_anime", "The lines of a drawing in anime style.")
    MLSD = value("mlsd", "Straight line segments, by the M-LSD detector.")
    NORMAL = value("normal", "The direction that each surface faces.")
    POSE = value("pose", "The poses of people.")
    SCRIBBLE = value("scribble", "Rough outlines, as if scribbled by hand.")
    SEGMENTATION = value("segmentation", "Regions that belong together.")
    SKETCH = value("sketch", "Outlines, as if sketched.")
    UNKNOWN = unknown()


@strawberry.enum(description="The look that a generation is asked for.")
class AssetStyle(UpstreamEnum):
    THREE_D_CARTOON = value("3d-cartoon", "A cartoon rendered in 3D.")
    THREE_D_RENDERED = value("3d-rendered", "A 3D rendering.")
    ANIME = value("anime", "Japanese animation.")
    CARTOON = value("cartoon", "A drawn cartoon.")
    CINEMATIC = value("cinematic", "A frame of a film.")
    CLAYMATION = value("claymation", "Figures modelled in clay.")
    CLOUD_SKYDOME = value("cloud-skydome", "A dome of sky and clouds.")
    COMIC = value("comic", "A comic book.")
    CYBERPUNK = value("cyberpunk", "A neon-lit, high-tech future.")
    ENCHANTED = value("enchanted", "An enchanted, fairy-tale world.")
    FANTASY = value("fantasy", "Fantasy art.")
    INK = value("ink", "An ink drawing.")
    MANGA = value("manga", "A black-and-white manga.")
    MANGA_COLOR = value("manga-color", "A manga in colour.")
    MINIMALIST = value("minimalist", "Few shapes and colours.")
    NEON_TRON = value("neon-tron", "Glowing neon lines on black.")
    OIL_PAINTING = value("oil-painting", "An oil painting.")
    PASTEL = value("pastel", "Soft pastel colours.")
    PHOTO = value("photo", "A photo.")
    PHOTOGRAPHY = value("photography", "A photo, as upscales spell it.")
    PSYCHEDELIC = value("psychedelic", "Vivid, dreamlike patterns.")
    RETRO_FANTASY = value("retro-fantasy", "Fantasy art of past decades.")
    SCIFI_CONCEPT_ART = value("scifi-concept-art", "Science-fiction concept art.")
    SPACE = value("space", "Outer space.")
    STANDARD = value("standard", "No style in particular.")
    WHIMSICAL = value("whimsical", "Playful and fanciful.")
    UNKNOWN = unknown()


@strawberry.enum(description="How a splat's preview is filmed.")
class CameraMode(UpstreamEnum):
    AERIAL = value("aerial", "From above.")
    INTERIOR = value("interior", "From inside.")
    TURNTABLE = value("turntable", "All around, as if on a turntable.")
    UNKNOWN = unknown()


@strawberry.enum(description="Whether the quality gate came to a result.")
class QualityGateStatus(UpstreamEnum):
    ERROR = value("error", "Scoring failed.")
    SCORED = value("scored", "The asset is scored.")
    UNKNOWN = unknown()


@strawberry.enum(description="How strictly the quality gate judges.")
class QualityGateSensitivity(UpstreamEnum):
    HIGH = value("high", "Strictly.")
    LOW = value("low", "Leniently.")
    MEDIUM = value("medium", "In between.")
    UNKNOWN = unknown()


@strawberry.enum(description="The quality gate's judgement.")
class QualityGateVerdict(UpstreamEnum):
    FAIL = value("fail", "The asset is not good enough.")
    PASS = value("pass", "The asset is good enough.")
    WARN = value("warn", "The asset should be looked at.")
    UNKNOWN = unknown()


@strawberry.enum(description="A format to convert a download to; audio and video keep the format they are stored in.")
class AssetFormat(Enum):
    GIF = value("gif", "A GIF image.")
    HEIF = value("heif", "A HEIF image.")
    JPEG = value("jpeg", "A JPEG image.")
    JPG = value("jpg", "A JPEG image, by its shorter name.")
    PNG = value("png", "A PNG image.")
    SVG = value("svg", "An SVG drawing.")
    WEBP = value("webp", "A WebP image.")
    AVIF = value("avif", "An AVIF image.")
    TIF = value("tif", "A TIFF image, by its shorter name.")
    TIFF = value("tiff", "A TIFF image.")
    GLB = value("glb", "A 3D model in binary glTF.")
    FBX = value("fbx", "A 3D model in FBX.")
    OBJ = value("obj", "A 3D model in Wavefront OBJ.")
    MP3 = value("mp3", "MP3 audio.")
    MP4 = value("mp4", "An MP4 video.")


@strawberry.enum(description="What assets are sorted by.")
class AssetSortField(Enum):
    CREATED_AT = value("createdAt", "When they were created.")
    UPDATED_AT = value("updatedAt", "When they were last changed.")


@strawberry.enum(description="Which way a list is sorted.")
class SortDirection(Enum):
    ASC = value("asc", "Ascending: oldest first.")
    DESC = value("desc", "Descending: newest first.")
