"""What an asset's file is: true to the bytes that the sandbox serves, but for the size of pictures and meshes."""

from random import Random

from gateway.sandbox import media, meshes
from gateway.scenario import wire

PREVIEW_CHARACTERS = 1_024
WORDS = (
    "body",
    "depth",
    "detail",
    "edge",
    "fabric",
    "frame",
    "light",
    "mesh",
    "motion",
    "pose",
    "scan",
    "shape",
    "surface",
)
CLASSIFICATIONS = ("effect", "interview", "music", "sound", "speech", "unknown")
CAMERA_MODES = ("aerial", "interior", "turntable")


def describe(mime_type: str, asset_id: str, size: tuple[int, int], rng: Random) -> wire.AssetProperties:
    """The properties that a file of this MIME type has; `size` is width and height in pixels."""
    if mime_type.startswith("image/"):
        return {"size": rng.randint(4_000, 90_000), "width": size[0], "height": size[1]}
    if mime_type in ("model/gltf-binary", "model/obj", "model/ply"):
        return mesh(mime_type, asset_id, rng)
    if mime_type.startswith("audio/"):
        return sound(mime_type, rng)
    if mime_type == "video/mp4":
        return video()
    if mime_type == "text/plain":
        return text(asset_id)
    return {"size": rng.randint(500, 5_000_000_000)}


def mesh(mime_type: str, asset_id: str, rng: Random) -> wire.AssetProperties:
    """A mesh's counts and its bounding box in metres; a splat's camera too."""
    person = meshes.person(asset_id)
    axes = zip(*person.vertices, strict=True)
    properties: wire.AssetProperties = {
        "size": rng.randint(2_000, 9_000),
        "format": {"model/gltf-binary": "glb", "model/obj": "obj", "model/ply": "ply"}[mime_type],
        "vertexCount": len(person.vertices),
        "faceCount": len(person.faces),
        "dimensions": [round(max(axis) - min(axis), 4) for axis in axes],
        "hasUVs": mime_type == "model/obj",
        "hasNormals": False,
        "hasAnimations": False,
        "animationFrameCount": 0,
        "hasSkeleton": False,
        "boneCount": 0,
    }
    if mime_type == "model/ply":
        properties["cameraMode"] = rng.choice(CAMERA_MODES)
        properties["cameraTrajectory"] = [{"position": [0, 1.2, 3], "target": [0, 0.9, 0], "fov": 50}]
    return properties


def sound(mime_type: str, rng: Random) -> wire.AssetProperties:
    """A sound's length in seconds, how it is coded and what is said in it."""
    coded: wire.AssetProperties
    if mime_type == "audio/wav":
        coded = {"size": media.WAV_SIZE, "duration": media.TONE_SECONDS, "codecName": "pcm_s16le"}
        coded |= {"sampleRate": media.SAMPLE_RATE, "bitrate": 16 * media.SAMPLE_RATE}
    else:
        coded = {"size": len(media.sample("mp3")), "duration": 0.58, "codecName": "mp3"}
        coded |= {"sampleRate": 22_050, "bitrate": 16_000}
    coded["channels"] = 1
    coded["classification"] = rng.choice(CLASSIFICATIONS)
    coded["description"] = "A single tone."
    coded["transcription"] = {"text": rng.choice(WORDS)}
    return coded


def video() -> wire.AssetProperties:
    """What the one sample video is."""
    return {
        "size": len(media.sample("mp4")),
        "width": 64,
        "height": 64,
        "duration": 1,
        "frameRate": 8,
        "nbFrames": 8,
        "codecName": "h264",
        "bitrate": 17_000,
    }


def text(asset_id: str) -> wire.AssetProperties:
    """A text's counts and its beginning."""
    content = content_of(asset_id)
    return {
        "size": len(content),
        "charCount": len(content),
        "wordCount": len(content.split()),
        "preview": content[:PREVIEW_CHARACTERS],
        "hasFullPreview": len(content) <= PREVIEW_CHARACTERS,
    }


def content_of(asset_id: str) -> str:
    """The text that a text asset holds: 20 to 400 words in one paragraph."""
    rng = Random(asset_id)
    return " ".join(rng.choices(WORDS, k=rng.randint(20, 400))) + ".\n"
