"""The ZIP of a batch: whose files it holds, under which names."""

import io
import re
import zipfile
from collections.abc import Iterable
from itertools import count

from gateway.sandbox import content
from gateway.scenario import wire

TOKEN = re.compile(r"([-_. ]?)<(seed|num|prompt|generator|id|description)>")
UNSAFE = re.compile(r"[^\w. -]+")
WORD = re.compile(r"\w+")
NAME_LENGTH, DIRECTORY_LENGTH = 128, 64
SLUG_WORDS = 8
FUNCTION_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "under", "with")
)
FIXED_DATE = (2026, 1, 1, 0, 0, 0)


def archive(assets: Iterable[wire.Asset], options: wire.BatchOptions) -> bytes:
    """The ZIP of the assets' files; a name met before is numbered."""
    buffer = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(buffer, "w") as file:
        for number, asset in enumerate(assets):
            extension = content.extension_of(asset, original=options.get("preferOriginal", False))
            name = unused(path_of(asset, number, options), extension, taken)
            file.writestr(zipfile.ZipInfo(name, FIXED_DATE), content.asset_file(asset, extension).content)
    return buffer.getvalue()


def path_of(asset: wire.Asset, number: int, options: wire.BatchOptions) -> str:
    """An asset's path without its extension: the filled template, in its inference's directory unless flat."""
    segments = [UNSAFE.sub("_", segment).strip(". ") for segment in fill(asset, number, options).split("/")]
    *directories, name = [segment for segment in segments if segment] or [asset["id"]]
    if not options.get("flat", False):
        directories.insert(0, asset["metadata"].get("inferenceId", "assets"))
    return "/".join([*(directory[:DIRECTORY_LENGTH] for directory in directories), name])


def fill(asset: wire.Asset, number: int, options: wire.BatchOptions) -> str:
    """The file name template with its tokens replaced; one met again goes, with the separator before it."""
    values = tokens(asset, number)
    seen: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        separator, token = match.groups()
        if token in seen:
            return ""
        seen.add(token)
        return separator + values[token]

    return TOKEN.sub(replace, options["fileNameTemplate"])


def tokens(asset: wire.Asset, number: int) -> dict[str, str]:
    """What each token of a file name template stands for."""
    metadata = asset["metadata"]
    return {
        "seed": str(metadata.get("seed", "")),
        "num": str(metadata.get("outputIndex", number)),
        "prompt": slug(metadata.get("prompt", "")),
        "generator": metadata.get("modelId", metadata["type"]),
        "id": asset["id"],
        "description": slug(asset.get("description", "")),
    }


def slug(sentence: str) -> str:
    """The first eight words that mean something, in lower case, joined with `_`."""
    words = (word for word in WORD.findall(sentence.lower()) if word not in FUNCTION_WORDS)
    return "_".join(list(words)[:SLUG_WORDS])


def unused(path: str, extension: str, taken: set[str]) -> str:
    """A path with its extension that no other file has, its last part cut to 128 characters; it is taken now."""
    directory, slash, name = path.rpartition("/")
    endings = (f".{extension}" if number == 1 else f"-{number}.{extension}" for number in count(1))
    paths = (f"{directory}{slash}{name[: NAME_LENGTH - len(ending)]}{ending}" for ending in endings)
    whole = next(path for path in paths if path not in taken)
    taken.add(whole)
    return whole
