"""Made-up Scenario assets: sixteen of each of the 81 types, with owners, parents, collections and blemishes."""

from collections.abc import Mapping
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import cast

from gateway.sandbox import properties
from gateway.sandbox.auth import OTHER_PROJECT_ID, PROJECT_ID
from gateway.sandbox.families import TYPES, Family, source_of
from gateway.sandbox.fields import MAKERS, Draft, prompt
from gateway.sandbox.moments import DAY, HOUR, hexadecimal, iso, key
from gateway.scenario import wire

COUNT = 1_300
SPACING = 16 * HOUR
OLDEST = 40

OLD_OWNER_ID = "SandboxOldOwner3333333"

# Whose, how visible and in which state an asset is, by what is left when its number is divided by the first.
OWNERS = (13, {5: OTHER_PROJECT_ID})
PRIVACIES = (7, {0: "public", 3: "unlisted"})
STATUSES = (29, {5: "error", 11: "pending"})
# Every so many assets one is an old owner's, deleted, from staging, hidden, or indecent.
OLD_OWNERS, DELETED, STAGING, HIDDEN, INDECENT = 131, 97, 211, 43, 47
CAPTIONED, SCORED = 0.5, 0.25
PASSES, WARNS = 66, 33

SIZES = ((256, 256), (384, 256), (512, 512), (512, 288), (256, 384))
PANORAMA = (1_024, 512)
ORIGINALS = {"skybox-hdri": "image/vnd.radiance", "uploaded-audio": "audio/wav"}
TAGS = ("sci-fi", "landscape", "character", "prop", "wip", "approved", "shoe", "été", "body scan")
EDITS = (
    *("DETECTION", "GENERATIVE_FILL", "PIXELATE", "PROMPT_EDITING", "REFINE", "REFRAME", "REMOVE_BACKGROUND"),
    *("SEGMENTATION", "UPSCALE", "UPSCALE_360", "VECTORIZATION"),
)


@lru_cache(maxsize=2)
def generate(seed: int, start: float) -> Mapping[str, wire.Asset]:
    """The assets by id, oldest first, the same for the same seed and start; addresses are put in when shown."""
    generator = Generator(Random(f"assets {seed}"), start)
    for index in range(COUNT):
        generator.add(index)
    return MappingProxyType(generator.assets)


class Generator:
    """Makes one asset after another, and remembers what later ones refer to."""

    def __init__(self, rng: Random, start: float) -> None:
        self.assets: dict[str, wire.Asset] = {}
        self._rng = rng
        self._start = start
        self._earlier: dict[str, list[str]] = {}
        self._images: dict[str, list[str]] = {}
        self._authors = [hexadecimal(rng) for _ in range(6)]
        self._collections = [key(rng, "col_") for _ in range(12)]
        self._models = [key(rng, "model_") for _ in range(8)]
        self._inferences = [key(rng, "inf_") for _ in range(COUNT // 4)]
        self._types = tuple(TYPES)

    def add(self, index: int) -> None:
        """Make the next asset."""
        asset_type = self._types[index % len(self._types)]
        draft = self._draft(index, asset_type)
        asset = self._asset(index, asset_type, draft)
        self.assets[draft.asset_id] = asset
        self._earlier.setdefault(draft.project_id, []).append(draft.asset_id)
        if asset["kind"] == "image":
            self._images.setdefault(draft.project_id, []).append(draft.asset_id)

    def _draft(self, index: int, asset_type: str) -> Draft:
        rng = self._rng
        asset_id = self._asset_id(index)
        project_id = owner(index)
        width, height = PANORAMA if asset_type.startswith("skybox") else rng.choice(SIZES)
        return Draft(
            rng=rng,
            asset_id=asset_id,
            created_at=self._start - (COUNT - index) * SPACING + rng.uniform(0, 15 * HOUR),
            width=width,
            height=height,
            project_id=project_id,
            images=self._images.get(project_id, [asset_id]),
            model_id=rng.choice(self._models),
            inference_id=self._inferences[index // 4],
        )

    def _asset_id(self, index: int) -> str:
        if index < OLDEST:
            return key(self._rng)
        prefix = "asset_staging_" if index % STAGING == 0 else "asset_"
        return key(self._rng, prefix, self._rng.randint(22, 24))

    def _asset(self, index: int, asset_type: str, draft: Draft) -> wire.Asset:
        rng, family = self._rng, TYPES[asset_type]
        asset: wire.Asset = {
            "id": draft.asset_id,
            "authorId": rng.choice(self._authors),
            "collectionIds": rng.sample(self._collections, rng.choice((0, 0, 1, 2))),
            "createdAt": iso(draft.created_at),
            "editCapabilities": rng.sample(EDITS, rng.randint(1, 11)) if family.kind == "image" else [],
            "kind": family.kind,
            "metadata": self._metadata(asset_type, family, draft),
            "mimeType": family.mime_type,
            "ownerId": draft.project_id,
            "privacy": "public" if draft.project_id == OLD_OWNER_ID else pick(index, PRIVACIES, "private"),
            "properties": properties.describe(family.mime_type, draft.asset_id, (draft.width, draft.height), rng),
            "source": source_of(asset_type),
            "status": pick(index, STATUSES, "success"),
            "tags": rng.sample(TAGS, rng.choice((0, 1, 1, 2, 3))),
            "updatedAt": iso(min(draft.created_at + rng.uniform(0, 3 * DAY), self._start)),
            "url": "",
        }
        self._accompany(asset, draft)
        blemish(asset, index, self._start)
        return asset

    def _metadata(self, asset_type: str, family: Family, draft: Draft) -> wire.AssetMetadata:
        values = {name: MAKERS[name](draft) for name in family.metadata}
        metadata = cast("wire.AssetMetadata", {"kind": family.kind, "type": asset_type, **values})
        earlier = self._earlier.get(draft.project_id)
        if family.derived and earlier:
            parent_id = draft.rng.choice(earlier[-60:])
            metadata["parentId"] = parent_id
            metadata["rootParentId"] = self.assets[parent_id]["metadata"].get("rootParentId", parent_id)
        return metadata

    def _accompany(self, asset: wire.Asset, draft: Draft) -> None:
        """Give an asset the pictures, texts and files that one of its kind has."""
        rng, kind, asset_type = self._rng, asset["kind"], asset["metadata"]["type"]
        picture = draft.asset_id if kind == "image" else rng.choice(draft.images)
        asset["thumbnail"] = {"assetId": picture, "url": ""}
        if kind in ("3d", "audio", "image-hdr"):
            asset["preview"] = {"assetId": picture, "url": ""}
        if kind == "video":
            asset["firstFrame"] = {"assetId": picture, "url": ""}
            asset["lastFrame"] = {"assetId": rng.choice(draft.images), "url": ""}
        if asset_type in ORIGINALS:
            asset["originalFileUrl"] = ""
            asset["originalMimeType"] = ORIGINALS[asset_type]
        if "outputIndex" in asset["metadata"]:
            asset["outputIndex"] = asset["metadata"]["outputIndex"]
        if kind == "image" and rng.random() < CAPTIONED:
            asset["automaticCaptioning"] = asset["description"] = f"A picture of {prompt(draft)}."
        if kind == "image" and rng.random() < SCORED:
            asset["qualityGate"] = quality_gate(rng, draft.created_at)


def owner(index: int) -> str:
    """The project, or the old owner without a project, that an asset of this number belongs to."""
    return OLD_OWNER_ID if index % OLD_OWNERS == OLD_OWNERS - 1 else pick(index, OWNERS, PROJECT_ID)


def pick(index: int, choices: tuple[int, dict[int, str]], usual: str) -> str:
    """What an asset of this number gets, by what is left of it."""
    divisor, special = choices
    return special.get(index % divisor, usual)


def blemish(asset: wire.Asset, index: int, start: float) -> None:
    """Delete, hide or label some assets; a pending one says how far it is."""
    if index % DELETED == DELETED - 1:
        # The oldest of them were deleted too long ago to be listed.
        asset["deletedAt"] = iso(start - (COUNT - index) / COUNT * 40 * DAY - HOUR)
    if index % HIDDEN == 0:
        asset["isHidden"] = True
    if index % INDECENT == 0:
        asset["nsfw"] = ["suggestive"]
    if asset["status"] == "pending":
        asset["metadata"]["progressPercent"] = index % 100


def quality_gate(rng: Random, created_at: float) -> wire.QualityGate:
    """A verdict on a picture; `details` are shown only where they are asked for."""
    score = rng.randint(20, 99)
    dimension: wire.QualityGateDimension = {"reasons": ["Hands look right."], "score": score, "suggestions": []}
    return {
        "computedAt": iso(created_at + 60),
        "status": "scored",
        "version": "2026-05",
        "aiQualityScore": score,
        "appliedBriefIds": ["brief_sandbox"],
        "briefComplianceScore": score,
        "details": {"aiQuality": dimension, "briefCompliance": dimension},
        "overallScore": score,
        "sensitivity": rng.choice(("high", "low", "medium")),
        "verdict": "pass" if score > PASSES else "warn" if score > WARNS else "fail",
    }
