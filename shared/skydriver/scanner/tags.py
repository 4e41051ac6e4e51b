"""Which tags of the scanner's image exist: from a setting, from Docker Hub, or from a folder on CVMFS.

What a source said is taken for true for a while, and for longer where it cannot be asked again: images are
hardly ever taken away.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from skydriver.errors import TemporaryError
from skydriver.settings import settings

logger = logging.getLogger(__name__)

Tags = dict[str, str | None]
"""The digest of each tag's image, where the source knows it."""

REPOSITORY = "/v2/repositories/icecube/skymap_scanner/tags"
PAGE = 100
MOST_PAGES = 20
PREFIX = "skymap_scanner:"


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
            return await _cached(("dockerhub", settings().dockerhub_url), _ask_dockerhub)
        case "cvmfs":
            return await _cached(("cvmfs", str(settings().cvmfs_images)), _list_cvmfs)


async def _cached(source: tuple[str, str], ask: Callable[[], Awaitable[Tags]]) -> Tags:
    former = _answers().get(source)
    if former is not None and time.monotonic() - former.at < settings().image_tags_ttl:
        return former.tags
    try:
        async with asyncio.timeout(settings().call_timeout):
            tags = await ask()
    except TimeoutError:
        error = TemporaryError(f"{' '.join(source)} did not list the scanner's images in time")
    except TemporaryError as refusal:
        error = refusal
    else:
        _answers()[source] = _Answer(tags, time.monotonic())
        return tags
    if former is None:
        raise error
    logger.warning("%s; taking the tags of %.0f s ago", error, time.monotonic() - former.at)
    return former.tags


async def _ask_dockerhub() -> Tags:
    import httpx

    tags: Tags = {}
    async with httpx.AsyncClient(
        base_url=settings().dockerhub_url, timeout=settings().call_timeout
    ) as client:
        for number in range(1, MOST_PAGES + 1):
            try:
                answer = await client.get(REPOSITORY, params={"page_size": PAGE, "page": number})
                answer.raise_for_status()
                page = answer.json()
                tags |= {tag["name"]: digest_of(tag) for tag in page["results"]}
            except httpx.HTTPStatusError as error:
                raise TemporaryError(f"Docker Hub answered {error.response.status_code}") from error
            except httpx.HTTPError as error:
                raise TemporaryError(f"Docker Hub does not answer: {type(error).__name__}") from error
            except (ValueError, KeyError, TypeError) as error:
                raise TemporaryError("Docker Hub gave an answer that is not understood") from error
            if not page.get("next"):
                break
    return tags


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
    return {name.removeprefix(PREFIX): None for name in names if name.startswith(PREFIX)}
