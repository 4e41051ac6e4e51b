"""Resolving the tags of the scanner's image that users ask for (the rules of v1's `docker_tag`)."""

import re
from collections.abc import Collection, Mapping

from skydriver.errors import InvalidArguments
from skydriver.model.images import IMAGE
from skydriver.scanner.era import check_broker, usable_tags
from skydriver.scanner.image_sources import Tags, find_tag, known_tags
from skydriver.settings import settings

LATEST = "latest"
_VERSION = re.compile(r"[vV]?(\d{1,3}(?:\.\d{1,3}){0,2})")


def _release(tag: str) -> tuple[int, ...] | None:
    parts = tag.split(".")
    if len(parts) == 3 and all(part.isdecimal() for part in parts):
        return tuple(int(part) for part in parts)
    return None


def resolve(asked: str, tags: Collection[str], digests: Mapping[str, str] | None = None) -> str:
    """Resolve a tag against those that exist.

    A full version loses its `v`. Any other tag becomes the release that is the same image, where digests
    tell. Where they do not: `latest` is the newest release; `v3`, `3.1` the newest release that begins so;
    any other tag (of a branch) stays as it is.

    Args:
        asked: the tag that a user asks for.
        tags: those that exist.
        digests: of the images, by tag, as far as known.

    Raises:
        InvalidArguments: no such tag exists.
    """
    releases = sorted((release, tag) for tag in tags if (release := _release(tag)) is not None)
    version = _VERSION.fullmatch(asked)
    name = _name(asked)
    if name in tags and _release(name) is not None:
        return name
    if digest := (digests or {}).get(name):
        same = [tag for _, tag in releases if (digests or {}).get(tag) == digest]
        if same:
            return same[-1]
    if asked == LATEST and releases:
        return releases[-1][1]
    if version:
        wanted = tuple(int(part) for part in name.split("."))
        matching = [tag for release, tag in releases if release[: len(wanted)] == wanted]
        if matching:
            return matching[-1]
    if asked in tags:
        return asked
    raise InvalidArguments({"docker_tag": f"there is no image {IMAGE}:{asked}"})


def _name(asked: str) -> str:
    """Take the `v` off a version."""
    version = _VERSION.fullmatch(asked)
    return version[1] if version else asked


async def resolve_tag(asked: str) -> str:
    """Resolve a tag by the source that the setting IMAGE_TAG_SOURCE names, among those that can run here.

    The source's list may be old or cut: it is asked for a tag that is not there by its name.

    Raises:
        InvalidArguments: no such tag exists, or it needs a message broker and there is none.
        TemporaryError: the source cannot be reached.
    """
    if asked != LATEST:
        check_tag(_name(asked))
    tags = _usable(await known_tags())
    try:
        return _resolve(asked, tags)
    except InvalidArguments:
        found: Tags = {}
        for name in dict.fromkeys((_name(asked), asked)):
            found |= await find_tag(name)
        return _resolve(asked, {**tags, **_usable(found)})


def check_tag(tag: str) -> None:
    """Check that an image can run here.

    Raises:
        InvalidArguments: it needs a message broker, and none is configured.
    """
    check_broker(tag, has_broker=settings().has_broker, v3_tags=settings().v3_tags)


def _usable(tags: Tags) -> Tags:
    usable = usable_tags(tags, has_broker=settings().has_broker, v3_tags=settings().v3_tags)
    return {tag: tags[tag] for tag in usable}


def _resolve(asked: str, tags: Tags) -> str:
    return resolve(asked, tags, {tag: digest for tag, digest in tags.items() if digest})
