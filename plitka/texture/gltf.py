"""glTF: the material as a GLB file, on a plane of one metre in true scale.

Metres, y up. The plane lies in x and z, faces up, and its texture's upper edge is at the back.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from pygltflib import (
    ARRAY_BUFFER,
    ELEMENT_ARRAY_BUFFER,
    FLOAT,
    GLTF2,
    LINEAR,
    LINEAR_MIPMAP_LINEAR,
    REPEAT,
    UNSIGNED_SHORT,
    Accessor,
    Asset,
    Attributes,
    Buffer,
    BufferView,
    Image,
    Material,
    Mesh,
    Node,
    NormalMaterialTexture,
    OcclusionTextureInfo,
    PbrMetallicRoughness,
    Primitive,
    Sampler,
    Scene,
    Texture,
    TextureInfo,
)

from plitka import __version__

PLANE_METRES = 1.0

_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))  # x, z in planes, from the back
_TRIANGLES = (0, 3, 2, 0, 2, 1)  # counter-clockwise as seen from above


def write_glb(
    name: str,
    base_color: bytes,
    normal: bytes,
    orm: bytes,
    side_mm: float,
    extras: Mapping[str, Any],
) -> bytes:
    """Write a GLB file of the material and a plane that wears it.

    base_color, normal, orm: PNG files; normals as OpenGL has them; occlusion, roughness and
    metalness in red, green and blue. side_mm: of the texture. extras: kept with the material.
    """
    blob = _Blob()
    turns = PLANE_METRES * 1000 / side_mm  # of the texture over the plane
    places = [(x * PLANE_METRES, 0.0, z * PLANE_METRES) for x, z in _CORNERS]
    attributes = Attributes(
        POSITION=blob.add_vectors(places, "VEC3", bounded=True),
        NORMAL=blob.add_vectors([(0.0, 1.0, 0.0)] * 4, "VEC3"),
        TANGENT=blob.add_vectors([(1.0, 0.0, 0.0, 1.0)] * 4, "VEC4"),
        TEXCOORD_0=blob.add_vectors(
            [((x + 0.5) * turns, (z + 0.5) * turns) for x, z in _CORNERS], "VEC2"
        ),
    )
    indices = blob.add_indices(_TRIANGLES)
    images = [
        Image(name=word, mimeType="image/png", bufferView=blob.add(content))
        for word, content in (("base_color", base_color), ("normal", normal), ("orm", orm))
    ]
    document = GLTF2(
        asset=Asset(version="2.0", generator=f"Plitka {__version__}"),
        scene=0,
        scenes=[Scene(nodes=[0])],
        nodes=[Node(mesh=0, name=name)],
        meshes=[
            Mesh(
                name=name,
                primitives=[Primitive(attributes=attributes, indices=indices, material=0)],
            )
        ],
        materials=[
            Material(
                name=name,
                pbrMetallicRoughness=PbrMetallicRoughness(
                    baseColorTexture=TextureInfo(index=0),
                    metallicRoughnessTexture=TextureInfo(index=2),
                    metallicFactor=0.0,
                    roughnessFactor=1.0,
                ),
                normalTexture=NormalMaterialTexture(index=1),
                occlusionTexture=OcclusionTextureInfo(index=2),
                extras=dict(extras),
            )
        ],
        textures=[Texture(source=source, sampler=0) for source in range(3)],
        samplers=[
            Sampler(magFilter=LINEAR, minFilter=LINEAR_MIPMAP_LINEAR, wrapS=REPEAT, wrapT=REPEAT)
        ],
        images=images,
        accessors=blob.accessors,
        bufferViews=blob.views,
        buffers=[Buffer(byteLength=len(blob.content))],
    )
    document.set_binary_blob(bytes(blob.content))
    return b"".join(document.save_to_bytes())


class _Blob:
    """The binary part of a GLB file, with what says where in it each thing lies."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[BufferView] = []
        self.accessors: list[Accessor] = []

    def add(self, content: bytes, target: int | None = None) -> int:
        """Add a part. Returns the index of its view."""
        view = BufferView(
            buffer=0, byteOffset=len(self.content), byteLength=len(content), target=target
        )
        self.views.append(view)
        self.content += content + bytes(-len(content) % 4)
        return len(self.views) - 1

    def add_vectors(
        self, vectors: Sequence[tuple[float, ...]], kind: str, *, bounded: bool = False
    ) -> int:
        """Add vectors, with their bounds if `bounded`. Returns the index of their accessor."""
        packed = b"".join(struct.pack(f"<{len(vector)}f", *vector) for vector in vectors)
        accessor = Accessor(
            bufferView=self.add(packed, ARRAY_BUFFER),
            componentType=FLOAT,
            count=len(vectors),
            type=kind,
        )
        if bounded:
            columns = list(zip(*vectors, strict=True))
            accessor.min = [min(column) for column in columns]
            accessor.max = [max(column) for column in columns]
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def add_indices(self, indices: tuple[int, ...]) -> int:
        """Add the corners of triangles. Returns the index of their accessor."""
        packed = struct.pack(f"<{len(indices)}H", *indices)
        self.accessors.append(
            Accessor(
                bufferView=self.add(packed, ELEMENT_ARRAY_BUFFER),
                componentType=UNSIGNED_SHORT,
                count=len(indices),
                type="SCALAR",
            )
        )
        return len(self.accessors) - 1
