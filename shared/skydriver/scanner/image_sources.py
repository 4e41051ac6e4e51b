"""Which tags of the scanner's image exist: from a setting, from Docker Hub, or from a folder on CVMFS.

What a source said is taken for true for a while, and for longer where it cannot be asked again: images are
hardly ever taken away.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skydriver.errors import TemporaryError
from skydriver.model.images import IMAGE, cvmfs_name, cvmfs_tag
from skydriver.settings import settings

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

Tags = dict[str, str | None]
"""The digest of each tag's image, where the source knows it."""

REPOSITORY = f"/v2/repositories/{IMAGE}/tags"
PAGE = 100
MAX_PAGES = 20
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""What a tag may be (the OCI's distribution specification, "Pulling manifests")."""


@dataclass(frozen=True)
class _Answer:
    tags: Tags
    at: float


@cache
def _answers() -> dict[tuple[str, str], _Answer]:
    """Hold what each source has said last, for the life of a process."""
    return {}


async def known_tags() -> Tags:
    """List the tags by the source that the setting IMAGE_TAG_SOURCE names.

    Raises:
        TemporaryError: the source cannot be reached, and has said nothing before.
    """
    match settings().image_tag_source:
        case "static":
            return {tag.strip(): None for tag in settings().image_tags.split(",") if tag.strip()}
        case "dockerhub":
            return await _cached(("dockerhub", settings().dockerhub_url), _list_dockerhub)
        case "cvmfs":
            return await _cached(("cvmfs", str(settings().cvmfs_images)), _list_cvmfs)


async def _cached(source: tuple[str, str], ask: Callable[[], Awaitable[Tags]]) -> Tags:
    former = _answers().get(source)
    if former is not None and time.monotonic() - former.at < settings().image_tags_ttl:
        return former.tags
    try:
        tags = await _in_time(ask())
    except TemporaryError as refusal:
        error = refusal
    else:
        _answers()[source] = _Answer(tags, time.monotonic())
        return tags
    if former is None:
        raise error
    logger.warning("%s; taking the tags of %.0f s ago", error, time.monotonic() - former.at)
    return former.tags


async def find_tag(tag: str) -> Tags:
    """Ask the source for one tag, whatever its list said: Docker Hub's is cut, and each may be old.

    Returns:
        The tag and its digest; empty if there is no such tag.

    Raises:
        TemporaryError: the source cannot be reached.
    """
    if not _TAG.fullmatch(tag):
        return {}
    match settings().image_tag_source:
        case "static":
            return {}
        case "dockerhub":
            return await _in_time(_find_at_dockerhub(tag))
        case "cvmfs":
            return await _in_time(asyncio.to_thread(_find_in_folder, settings().cvmfs_images, tag))


async def _in_time(asking: Awaitable[Tags]) -> Tags:
    try:
        async with asyncio.timeout(settings().call_timeout):
            return await asking
    except TimeoutError:
        source = settings().image_tag_source
        raise TemporaryError(f"'{source}' did not tell the scanner's images in time") from None


async def _list_dockerhub() -> Tags:
    tags: Tags = {}
    async with _dockerhub() as client:
        for number in range(1, MAX_PAGES + 1):
            answer = await client.get(REPOSITORY, params={"page_size": PAGE, "page": number})
            page = answer.raise_for_status().json()
            tags |= {tag["name"]: digest_of(tag) for tag in page["results"]}
            if not page.get("next"):
                break
    return tags


async def _find_at_dockerhub(tag: str) -> Tags:
    async with _dockerhub() as client:
        answer = await client.get(f"{REPOSITORY}/{tag}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return {}
        return {tag: digest_of(answer.raise_for_status().json())}


@asynccontextmanager
async def _dockerhub() -> "AsyncIterator[httpx.AsyncClient]":
    """Connect to Docker Hub; whatever goes wrong within is a TemporaryError."""
    import httpx

    address, timeout = settings().dockerhub_url, settings().call_timeout
    try:
        async with httpx.AsyncClient(base_url=address, timeout=timeout) as client:
            yield client
    except httpx.HTTPStatusError as error:
        raise TemporaryError(f"Docker Hub answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise TemporaryError(f"Docker Hub does not answer: {type(error).__name__}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TemporaryError("Docker Hub gave an answer that is not understood") from error


def digest_of(tag: Mapping[str, Any]) -> str | None:
    """Read the digest of a tag's image from Docker Hub's answer.

    The tag itself has it in newer answers; in older ones each of its images (one a platform) has one.
    """
    digest = tag.get("digest")
    if not digest:
        found = sorted(image["digest"] for image in tag.get("images") or () if image.get("digest"))
        digest = ",".join(found)
    return str(digest) if digest else None


async def _list_cvmfs() -> Tags:
    # CVMFS brings a folder in when it is looked at, and may hang over it: in a thread, with a deadline.
    return await asyncio.to_thread(_list_folder, settings().cvmfs_images)


def _list_folder(folder: Path) -> Tags:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise TemporaryError(f"the images in {folder} cannot be listed: {error.strerror}") from error
    return {tag: None for name in names if (tag := cvmfs_tag(name)) is not None}


def _find_in_folder(folder: Path, tag: str) -> Tags:
    try:
        (folder / cvmfs_name(tag)).stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TemporaryError(f"the images in {folder} cannot be read: {error.strerror}") from error
    return {tag: None}
