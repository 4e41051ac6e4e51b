"""Where the scanner's tags come from: Docker Hub's answers are played here, a folder is a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from skydriver.errors import InvalidArguments, TemporaryError
from skydriver.local.http_server import listen, serve, url
from skydriver.scanner import image_sources
from skydriver.scanner.image_tag import resolve_tag

Configure = Callable[..., None]

IN_OLDER_ANSWERS = [
    {"name": "3.4.0", "images": [{"digest": "sha256:arm"}, {"digest": "sha256:amd"}]},
    {"name": "v3-latest", "images": [{"digest": "sha256:amd"}, {"digest": "sha256:arm"}]},
]
IN_NEWER_ANSWERS = [
    {"name": "3.22.1", "digest": "sha256:new", "images": [{"digest": "sha256:x"}]},
    {"name": "3.21.2", "digest": "sha256:less-new", "images": None},
    {"name": "latest", "digest": "sha256:less-new", "images": []},
    {"name": "3", "digest": "sha256:new"},
    {"name": "a-branch", "digest": "sha256:branch"},
    {"name": "3.1.5"},
]


TAGS = "/v2/repositories/icecube/skymap_scanner/tags"


class Hub:
    """Plays Docker Hub."""

    def __init__(self) -> None:
        self.pages: list[Any] = [IN_OLDER_ANSWERS, IN_NEWER_ANSWERS]
        self.status = 200
        self.delay = 0.0
        self.asked = 0
        self.unlisted: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        self.asked += 1
        await asyncio.sleep(self.delay)
        if request.url.path != TAGS:
            tag = self.unlisted.get(request.url.path.removeprefix(f"{TAGS}/"))
            status = self.status if tag is not None or self.status != 200 else 404
            await JSONResponse(tag or {"message": "no such tag"}, status)(scope, receive, send)
            return
        number = int(request.query_params["page"])
        following = f"{request.url}&more" if number < len(self.pages) else None
        content = {"count": 8, "next": following, "results": self.pages[number - 1]}
        answer: Response = JSONResponse(content, status_code=self.status)
        await answer(scope, receive, send)


@asynccontextmanager
async def dockerhub(configure: Configure, **more: str) -> AsyncIterator[Hub]:
    hub, listener = Hub(), listen(None)
    configure(IMAGE_TAG_SOURCE="dockerhub", DOCKERHUB_URL=url(listener), **more)
    async with serve(hub, listener):
        yield hub


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [
        ("3.22.1", "3.22.1"),
        ("v3.22.1", "3.22.1"),
        ("3.4.0", "3.4.0"),
        ("latest", "3.21.2"),  # the same image, though not the newest
        ("3", "3.22.1"),
        ("v3", "3.22.1"),
        ("v3-latest", "3.4.0"),
        ("3.1", "3.1.5"),
        ("a-branch", "a-branch"),
    ],
)
async def test_docker_hub_tells_releases_by_their_digests(
    configure: Configure, asked: str, resolved: str
) -> None:
    async with dockerhub(configure):
        assert await resolve_tag(asked) == resolved


async def test_a_tag_that_docker_hub_does_not_have_is_refused(configure: Configure) -> None:
    async with dockerhub(configure):
        with pytest.raises(InvalidArguments, match="docker_tag: there is no image"):
            await resolve_tag("9.9.9")


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [("3.23.0", "3.23.0"), ("v3.23.0", "3.23.0"), ("a-new-branch", "a-new-branch"), ("3-new", "3.22.1")],
)
async def test_a_tag_that_is_not_in_the_list_is_asked_for_by_its_name(
    configure: Configure, asked: str, resolved: str
) -> None:
    async with dockerhub(configure) as hub:
        assert await resolve_tag("latest") == "3.21.2"  # the list is known from here on
        # Pushed since, or beyond the pages that are read.
        hub.unlisted = {
            "3.23.0": {"name": "3.23.0", "digest": "sha256:newest"},
            "a-new-branch": {"name": "a-new-branch", "images": []},
            "3-new": {"name": "3-new", "digest": "sha256:new"},
        }
        assert await resolve_tag(asked) == resolved


async def test_nothing_is_said_of_a_tag_while_docker_hub_does_not_answer(configure: Configure) -> None:
    async with dockerhub(configure) as hub:
        await resolve_tag("latest")
        hub.status = 503
        with pytest.raises(TemporaryError, match="Docker Hub answered 503"):
            await resolve_tag("3.23.0")


@pytest.mark.parametrize("asked", ["../../../users/x", "3.23.0?x=", "a" * 129, "-x", "\u0663.1.1"])
async def test_what_cannot_be_a_tag_is_never_put_into_an_address(configure: Configure, asked: str) -> None:
    async with dockerhub(configure) as hub:
        await resolve_tag("latest")
        known = hub.asked
        with pytest.raises(InvalidArguments, match="there is no image"):
            await resolve_tag(asked)
        assert hub.asked == known


async def test_docker_hub_is_asked_once_in_a_while(configure: Configure) -> None:
    async with dockerhub(configure) as hub:
        for _ in range(3):
            await resolve_tag("3.22.1")
        assert hub.asked == len(hub.pages)


async def test_a_docker_hub_that_is_down_is_an_outage(configure: Configure) -> None:
    async with dockerhub(configure) as hub:
        hub.status = 429
        with pytest.raises(TemporaryError, match="Docker Hub answered 429"):
            await resolve_tag("latest")
    with pytest.raises(TemporaryError, match="Docker Hub does not answer: ConnectError"):
        await resolve_tag("latest")


async def test_a_docker_hub_that_hangs_is_not_waited_for(configure: Configure) -> None:
    async with dockerhub(configure, CALL_TIMEOUT="0.2") as hub:
        hub.delay = 2.0
        with pytest.raises(TemporaryError):
            await resolve_tag("latest")


async def test_what_docker_hub_said_before_is_still_good_while_it_is_down(configure: Configure) -> None:
    async with dockerhub(configure, IMAGE_TAGS_TTL="0") as hub:
        assert await resolve_tag("latest") == "3.21.2"
        hub.status = 503
        assert await resolve_tag("latest") == "3.21.2"


async def test_an_answer_that_makes_no_sense_is_no_answer(configure: Configure) -> None:
    async with dockerhub(configure) as hub:
        hub.pages = [None]
        with pytest.raises(TemporaryError, match="not understood"):
            await resolve_tag("latest")


async def test_a_folder_on_cvmfs_is_listed(configure: Configure, tmp_path: Path) -> None:
    for name in ("skymap_scanner:3.4.0", "skymap_scanner:3.22.1", "another_image:9.9.9", "README"):
        (tmp_path / name).mkdir()
    configure(IMAGE_TAG_SOURCE="cvmfs", CVMFS_IMAGES=str(tmp_path))
    assert set(await image_sources.known_tags()) == {"3.4.0", "3.22.1"}
    assert await resolve_tag("latest") == "3.22.1"


async def test_a_folder_that_has_come_since_is_found(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "skymap_scanner:3.22.1").mkdir()
    configure(IMAGE_TAG_SOURCE="cvmfs", CVMFS_IMAGES=str(tmp_path))
    assert await resolve_tag("latest") == "3.22.1"
    (tmp_path / "skymap_scanner:3.23.0").mkdir()
    assert await resolve_tag("v3.23.0") == "3.23.0"
    for missing in ("3.24.0", ".", ".."):
        with pytest.raises(InvalidArguments, match="there is no image"):
            await resolve_tag(missing)


async def test_a_folder_that_is_not_there_is_named(configure: Configure, tmp_path: Path) -> None:
    configure(IMAGE_TAG_SOURCE="cvmfs", CVMFS_IMAGES=str(tmp_path / "missing"))
    with pytest.raises(TemporaryError, match="cannot be listed: No such file or directory"):
        await resolve_tag("latest")
