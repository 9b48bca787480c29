"""The bytes behind every URL: what an asset, a scan's file or a conversion is when it is downloaded.

Pictures, meshes, tones and texts are each asset's own. A format that takes an encoder (JPEG, GIF, WebP, AVIF, HEIF,
TIFF, MP3, MP4) is a small valid sample, the same for every asset.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.sandbox import images, media, meshes, properties
from gateway.sandbox.glb import glb
from gateway.sandbox.scans import Scan
from gateway.scenario import wire

MATERIAL_FILE = "avatar.obj.mtl"
TEXTURE_FILE = "texture.png"
TEXTURE_SIZE = (256, 256)
THUMBNAIL_SIZE = (128, 128)


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its MIME type, and how a file of it is made for an id and a size in pixels."""

    mime_type: str
    make: Callable[[str, int, int], bytes]

    @property
    def served_as(self) -> str:
        """The Content-Type of a download: the CDN knows no 3D formats."""
        return "application/octet-stream" if self.mime_type.startswith("model/") else self.mime_type


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a download and their Content-Type."""

    content: bytes
    media_type: str


def sampled(mime_type: str, extension: str) -> Format:
    """A format of which every file is the same sample."""
    return Format(mime_type, lambda *_: media.sample(extension))


FORMATS = {
    "avif": sampled("image/avif", "avif"),
    "fbx": Format("model/x-fbx", lambda name, *_: meshes.fbx(meshes.person(name))),
    "gif": sampled("image/gif", "gif"),
    "glb": Format("model/gltf-binary", lambda name, *_: glb(meshes.person(name), images.colours(name)[1])),
    "hdr": Format("image/vnd.radiance", lambda name, *_: images.radiance(name)),
    "heif": sampled("image/heif", "heif"),
    "jpeg": sampled("image/jpeg", "jpg"),
    "jpg": sampled("image/jpeg", "jpg"),
    "json": Format("application/json", lambda name, *_: msgspec.json.encode({"canvas": name, "layers": []})),
    "mp3": sampled("audio/mpeg", "mp3"),
    "mp4": sampled("video/mp4", "mp4"),
    "mtl": Format("model/mtl", lambda *_: meshes.mtl(TEXTURE_FILE)),
    "obj": Format("model/obj", lambda name, *_: meshes.obj(meshes.person(name), None)),
    "pdf": Format("application/pdf", lambda name, *_: media.pdf(name)),
    "ply": Format("model/ply", lambda name, *_: meshes.ply(meshes.person(name))),
    "png": Format("image/png", images.gradient),
    "svg": Format("image/svg+xml", images.svg),
    "tif": sampled("image/tiff", "tiff"),
    "tiff": sampled("image/tiff", "tiff"),
    "txt": Format("text/plain", lambda name, *_: properties.content_of(name).encode()),
    "wav": Format("audio/wav", lambda name, *_: media.wav(name)),
    "webp": sampled("image/webp", "webp"),
}
EXTENSIONS = {form.mime_type: extension for extension, form in FORMATS.items()}

PICTURES = ("avif", "gif", "heif", "jpeg", "jpg", "png", "tif", "tiff", "webp")
MESHES = ("fbx", "glb", "obj")
CONVERSIONS: dict[str, tuple[str, ...]] = {
    "audio/mpeg": ("mp3",),
    "image/png": PICTURES,
    "image/svg+xml": (*PICTURES, "svg"),
    "model/gltf-binary": MESHES,
    "model/obj": MESHES,
    "model/ply": MESHES,
    "video/mp4": ("mp4",),
}


def extension_of(asset: wire.Asset, *, original: bool = False) -> str:
    """The extension of an asset's file, or of the one it was made from."""
    return EXTENSIONS[asset.get("originalMimeType", asset["mimeType"]) if original else asset["mimeType"]]


def asset_file(asset: wire.Asset, extension: str) -> File:
    """An asset's file in one of the formats."""
    form = FORMATS[extension]
    size = asset["properties"].get("width", THUMBNAIL_SIZE[0]), asset["properties"].get("height", THUMBNAIL_SIZE[1])
    return File(form.make(asset["id"], int(size[0]), int(size[1])), form.served_as)


def thumbnail(asset_id: str) -> File:
    """The small picture of an asset that anyone may see."""
    return File(images.gradient(asset_id, *THUMBNAIL_SIZE), "image/png")


def scan_file(scan: Scan, asset_type: str) -> File:
    """A file of a scan, by the path value of its type."""
    name = scan.scan_id
    if asset_type == "preview-image":
        return File(images.silhouette(name), "image/png")
    if asset_type == "texture":
        return File(images.gradient(name, *TEXTURE_SIZE), "image/png")
    if asset_type == "capture-video":
        return File(media.sample("mp4"), "video/mp4")
    return File(scan_mesh(scan, asset_type), "application/octet-stream")


def scan_mesh(scan: Scan, asset_type: str) -> bytes:
    """The material, or one of the meshes: an OBJ as the model of a textured scan, PLY for all others."""
    if asset_type == "material":
        return meshes.mtl(TEXTURE_FILE)
    mesh = meshes.person(scan.scan_id)
    return meshes.obj(mesh, MATERIAL_FILE) if asset_type == "model" and scan.textured else meshes.ply(mesh)
