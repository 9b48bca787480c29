"""A small person made of boxes, and the mesh formats it can be written in."""

from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import TypeAlias

Point: TypeAlias = tuple[float, float, float]

# Centre and size of each box, in metres; the person stands on y = 0 and is 1.8 m tall.
BODY: tuple[tuple[Point, Point], ...] = (
    ((0.0, 1.67, 0.0), (0.20, 0.26, 0.22)),
    ((0.0, 1.22, 0.0), (0.40, 0.60, 0.24)),
    ((0.0, 0.86, 0.0), (0.36, 0.12, 0.24)),
    ((-0.27, 1.14, 0.0), (0.12, 0.76, 0.13)),
    ((0.27, 1.14, 0.0), (0.12, 0.76, 0.13)),
    ((-0.10, 0.40, 0.0), (0.15, 0.80, 0.17)),
    ((0.10, 0.40, 0.0), (0.15, 0.80, 0.17)),
)
CORNERS = tuple(product((-0.5, 0.5), repeat=3))
# The two triangles of each side of a box, as places in CORNERS, seen counter-clockwise from outside.
TRIANGLES = (
    *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5)),
    *((0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6)),
    *((0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
)


@dataclass(frozen=True, slots=True)
class Mesh:
    """Vertices in metres, a texture coordinate for each, and triangles of vertex numbers from 0."""

    vertices: tuple[Point, ...]
    uvs: tuple[tuple[float, float], ...]
    faces: tuple[tuple[int, int, int], ...]


def person(name: str) -> Mesh:
    """The person a name stands for: no two have quite the same height and girth."""
    digest = sha256(name.encode()).digest()
    girth, tall = 0.9 + digest[0] / 1280, 0.9 + digest[1] / 1280
    vertices = tuple(
        (
            round((centre[0] + corner[0] * size[0]) * girth, 4),
            round((centre[1] + corner[1] * size[1]) * tall, 4),
            round((centre[2] + corner[2] * size[2]) * girth, 4),
        )
        for centre, size in BODY
        for corner in CORNERS
    )
    uvs = tuple((round(x + 0.5, 4), round(y / 2, 4)) for x, y, _ in vertices)
    boxes = range(0, len(vertices), len(CORNERS))
    faces = tuple((box + a, box + b, box + c) for box in boxes for a, b, c in TRIANGLES)
    return Mesh(vertices, uvs, faces)


def obj(mesh: Mesh, material: str | None) -> bytes:
    """Wavefront OBJ, naming its MTL file when it has one."""
    lines = [f"mtllib {material}", "usemtl avatar"] if material else []
    lines += [f"v {x} {y} {z}" for x, y, z in mesh.vertices]
    lines += [f"vt {u} {v}" for u, v in mesh.uvs]
    lines += [f"f {a + 1}/{a + 1} {b + 1}/{b + 1} {c + 1}/{c + 1}" for a, b, c in mesh.faces]
    return text(lines)


def mtl(texture: str) -> bytes:
    """The material that an OBJ names, with its texture."""
    return text(["newmtl avatar", "Ka 1 1 1", "Kd 1 1 1", "illum 1", f"map_Kd {texture}"])


def ply(mesh: Mesh) -> bytes:
    """PLY as text, without colours."""
    header = ["ply", "format ascii 1.0", f"element vertex {len(mesh.vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    points = [f"{x} {y} {z}" for x, y, z in mesh.vertices]
    return text([*header, *points, *(f"3 {a} {b} {c}" for a, b, c in mesh.faces)])


def fbx(mesh: Mesh) -> bytes:
    """FBX 7.4 as text, with nothing but the geometry."""
    points = ",".join(str(value) for vertex in mesh.vertices for value in vertex)
    # The last vertex of a polygon is written as its complement.
    polygons = ",".join(str(value) for a, b, c in mesh.faces for value in (a, b, ~c))
    return text(
        [
            "; FBX 7.4.0 project file",
            "FBXHeaderExtension:  {\n\tFBXHeaderVersion: 1003\n\tFBXVersion: 7400\n}",
            'Objects:  {\n\tGeometry: 1, "Geometry::person", "Mesh" {',
            f"\t\tVertices: *{3 * len(mesh.vertices)} {{\n\t\t\ta: {points}\n\t\t}}",
            f"\t\tPolygonVertexIndex: *{3 * len(mesh.faces)} {{\n\t\t\ta: {polygons}\n\t\t}}",
            '\t}\n\tModel: 2, "Model::person", "Mesh" {\n\t}\n}',
            'Connections:  {\n\tC: "OO",2,0\n\tC: "OO",1,2\n}',
        ]
    )


def text(lines: list[str]) -> bytes:
    """Lines as a file."""
    return ("\n".join(lines) + "\n").encode()
