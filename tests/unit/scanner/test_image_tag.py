from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.scanner.image_tag import resolve, resolve_tag

TAGS = {
    "3.1.5",
    "3.4.0",
    "3.21.2",
    "3.22.1",
    "2.9.9",
    "3.10.0",
    "latest",
    "v3-old",
    "eqscan-6207146",
    "3.1",
    "4",
}


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [
        ("latest", "3.22.1"),
        ("v3", "3.22.1"),
        ("3", "3.22.1"),
        ("2", "2.9.9"),
        ("3.1", "3.1.5"),
        ("v3.1", "3.1.5"),
        ("v3.4.0", "3.4.0"),
        ("3.4.0", "3.4.0"),
        ("V3.4.0", "3.4.0"),
        ("V3", "3.22.1"),
        ("3.2", None),  # not 3.21 or 3.22
        ("v3.10", "3.10.0"),
        ("4", "4"),  # no release begins so, but there is such a tag
        ("eqscan-6207146", "eqscan-6207146"),
        ("v3-old", "v3-old"),
        ("v3.1.4", None),
        ("3.22.1.0", None),
        ("v9", None),
        ("vlatest", None),
        ("EQSCAN-6207146", None),
        ("missing", None),
    ],
)
def test_tags(asked: str, resolved: str | None) -> None:
    if resolved is not None:
        assert resolve(asked, TAGS) == resolved
    else:
        with pytest.raises(InvalidArguments) as caught:
            resolve(asked, TAGS)
        assert caught.value.problems == {"docker_tag": f"there is no image icecube/skymap_scanner:{asked}"}


def test_latest_where_there_is_no_release() -> None:
    assert resolve("latest", {"latest", "main"}) == "latest"
    with pytest.raises(InvalidArguments):
        resolve("latest", {"main"})


DIGESTS = {"3.22.1": "a", "3.21.2": "b", "3.4.0": "c", "latest": "b", "v3-old": "c", "main": "d"}


@pytest.mark.parametrize(
    ("asked", "resolved"),
    [
        ("v3-old", "3.4.0"),  # the same image
        ("latest", "3.21.2"),  # 3.22.1 is not released as such yet
        ("main", "main"),  # no release is the same image
        ("3.22.1", "3.22.1"),
        ("eqscan-6207146", "eqscan-6207146"),  # no digest is known
    ],
)
def test_tags_of_the_same_image_become_its_release(asked: str, resolved: str) -> None:
    assert resolve(asked, {*TAGS, "main"}, DIGESTS) == resolved


RELEASES = st.sets(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=12)


@given(RELEASES, st.sampled_from(["", "v", "V"]), st.data())
def test_a_version_is_the_newest_release_that_begins_so(
    releases: set[tuple[int, int, int]], v: str, data: st.DataObject
) -> None:
    tags = {".".join(map(str, release)) for release in releases}
    chosen = data.draw(st.sampled_from(sorted(releases)))
    length = data.draw(st.integers(1, 3))
    newest = max(release for release in releases if release[:length] == chosen[:length])
    assert resolve(v + ".".join(map(str, chosen[:length])), tags) == ".".join(map(str, newest))


@pytest.mark.parametrize(("asked", "resolved"), [("latest", "3.22.1"), ("v3", "3.22.1"), ("3.1", "3.1.5")])
async def test_the_tags_of_the_static_source_are_a_setting(
    configure: Callable[..., None], asked: str, resolved: str
) -> None:
    configure(IMAGE_TAG_SOURCE="static", IMAGE_TAGS="3.1.5, 3.4.0 ,3.22.1,,")
    assert await resolve_tag(asked) == resolved
    with pytest.raises(InvalidArguments):
        await resolve_tag("")
