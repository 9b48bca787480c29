"""The smallest binary glTF 2.0 that shows a mesh."""

import struct

import msgspec

from gateway.sandbox.images import Colour
from gateway.sandbox.meshes import Mesh

FLOAT, UNSIGNED_SHORT = 5126, 5123
VERTICES, INDICES = 34962, 34963
BYTE = 255


def glb(mesh: Mesh, colour: Colour) -> bytes:
    """The mesh in one colour; flat shading, so it needs no normals."""
    positions = b"".join(struct.pack("<3f", *vertex) for vertex in mesh.vertices)
    indices = b"".join(struct.pack("<3H", *face) for face in mesh.faces)
    document = msgspec.json.encode(description(mesh, colour, len(positions), len(indices)))
    body = section(b"JSON", document, b" ") + section(b"BIN\0", positions + indices, b"\0")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def section(kind: bytes, data: bytes, padding: bytes) -> bytes:
    """One chunk of a GLB, padded to four bytes."""
    data += padding * (-len(data) % 4)
    return struct.pack("<I4s", len(data), kind) + data


def description(mesh: Mesh, colour: Colour, positions: int, indices: int) -> dict[str, object]:
    """The JSON part: one scene, one node, one mesh, and where in the binary part its numbers are."""
    axes = tuple(zip(*mesh.vertices, strict=True))
    primitive = {"attributes": {"POSITION": 0}, "indices": 1, "material": 0}
    base_colour = [*(channel / BYTE for channel in colour), 1]
    vertices = {"componentType": FLOAT, "count": len(mesh.vertices), "type": "VEC3"}
    bounds = {"min": [min(axis) for axis in axes], "max": [max(axis) for axis in axes]}
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": base_colour, "metallicFactor": 0}}],
        "buffers": [{"byteLength": positions + indices}],
        "bufferViews": [
            {"buffer": 0, "byteLength": positions, "target": VERTICES},
            {"buffer": 0, "byteOffset": positions, "byteLength": indices, "target": INDICES},
        ],
        "accessors": [
            {"bufferView": 0, **vertices, **bounds},
            {"bufferView": 1, "componentType": UNSIGNED_SHORT, "count": 3 * len(mesh.faces), "type": "SCALAR"},
        ],
    }
