"""What an asset's file is: size, dimensions, and what Scenario found in it."""

import strawberry

from gateway.graph.document_type import DocumentType, wire
from gateway.graph.scalars import BigInt
from gateway.scenario.enums import AudioClassification, CameraMode


@strawberry.type(description="One keyframe of the camera path on which a splat's preview is filmed.")
class CameraKeyframe(DocumentType):
    position: list[float] | None = wire("Where the camera is: x, y, z in the splat's own frame.")
    target: list[float] | None = wire("What the camera looks at: x, y, z in the splat's own frame.")
    fov: float | None = wire("Vertical field of view in degrees; Scenario's renderer takes 50 when null.")


@strawberry.type(description="What is said in an audio asset.")
class Transcription(DocumentType):
    text: str | None = wire("The spoken words.")


@strawberry.type(description="What an asset's file is; which fields are set depends on the asset's kind.")
class AssetProperties(DocumentType):
    size: BigInt | None = wire("Size of the file in bytes.")
    animation_frame_count: BigInt | None = wire("Number of animation frames of a 3D model that is animated.")
    bitrate: BigInt | None = wire("Bits per second of audio or video.")
    bone_count: BigInt | None = wire("Number of bones of a 3D model that has a skeleton.")
    camera_mode: CameraMode | None = wire("How a splat's generator advises to film its preview.")
    camera_trajectory: list[CameraKeyframe] | None = wire(
        "The camera path on which a splat's generator advises to film its preview; it overrides `cameraMode`."
    )
    channels: int | None = wire("Number of audio channels.")
    char_count: BigInt | None = wire("Number of Unicode code points of a text.")
    classification: AudioClassification | None = wire("What is heard in audio.")
    codec_name: str | None = wire("Name of the codec of audio or video.")
    description: str | None = wire("What is heard in audio, in words.")
    dimensions: list[float] | None = wire("Width, height and depth of a 3D model's bounding box.")
    duration: float | None = wire("Length of audio or video in seconds.")
    face_count: BigInt | None = wire("Number of faces of a mesh.")
    format: str | None = wire("Format of a mesh's file, such as glb.")
    frame_rate: float | None = wire("Frames per second of a video.")
    has_animations: bool | None = wire("Whether a 3D model has animations.")
    has_full_preview: bool | None = wire("Whether `preview` is the whole text, so that its file need not be fetched.")
    has_normals: bool | None = wire("Whether a mesh has normal vectors.")
    has_skeleton: bool | None = wire("Whether a 3D model has a skeleton.")
    has_uvs: bool | None = wire("Whether a mesh has UV coordinates.", name="hasUVs")
    height: int | None = wire("Height of an image or video in pixels.")
    nb_frames: BigInt | None = wire("Number of frames of a video.")
    preview: str | None = wire("The beginning of a text, about 1 kB; see `hasFullPreview`.")
    sample_rate: int | None = wire("Audio samples per second.")
    transcription: Transcription | None = wire("What is said in audio.")
    vertex_count: BigInt | None = wire("Number of vertices of a mesh.")
    width: int | None = wire("Width of an image or video in pixels.")
    word_count: BigInt | None = wire("Number of words of a text, split at whitespace.")
