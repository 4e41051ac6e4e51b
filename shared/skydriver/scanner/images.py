"""Resolving the tags of the scanner's image that users ask for (the rules of v1's `docker_tag`)."""

import re

from skydriver.errors import InvalidArguments
from skydriver.settings import settings

IMAGE = "icecube/skymap_scanner"

_VERSION = re.compile(r"[vV]?(\d{1,3}(?:\.\d{1,3}){0,2})")


def _release(tag: str) -> tuple[int, ...] | None:
    parts = tag.split(".")
    if len(parts) == 3 and all(part.isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    return None


def resolve(asked: str, tags: set[str]) -> str:
    """Resolve a tag against those that exist.

    `latest` is the newest release; `v3`, `3.1` the newest release that begins so; a full version loses
    its `v`; any other tag (of a branch) stays as it is.

    Raises:
        InvalidArguments: no such tag exists.
    """
    releases = sorted((release, tag) for tag in tags if (release := _release(tag)) is not None)
    if asked == "latest" and releases:
        return releases[-1][1]
    if version := _VERSION.fullmatch(asked):
        wanted = tuple(int(part) for part in version[1].split("."))
        matching = [tag for release, tag in releases if release[: len(wanted)] == wanted]
        if matching:
            return matching[-1]
    if asked in tags:
        return asked
    raise InvalidArguments({"docker_tag": f"there is no image {IMAGE}:{asked}"})


async def resolve_tag(asked: str) -> str:
    """Resolve a tag by the source that the settings name.

    `static`: the tags are those of the setting IMAGE_TAGS.

    Raises:
        InvalidArguments: no such tag exists.
    """
    tags = {tag.strip() for tag in settings().image_tags.split(",")} - {""}
    return resolve(asked, tags)
