"""The lock files: each file that is installed is named by its hash, and needed by what pyproject.toml says.

Whether a version has known holes is not asked here: that needs a service on the network (docs/operate.md).
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    extra: [Requirement(line) for line in lines] for extra, lines in PROJECT["optional-dependencies"].items()
}
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
SKYMAP = [*RUNTIME, *EXTRAS["skymap"]]
IMAGES = {"requirements.lock": RUNTIME, "requirements-skymap.lock": SKYMAP}
DEMO = {"requirements-demo.lock": [*SKYMAP, *EXTRAS["local"]]}
DEV = {"requirements-dev.lock": [*RUNTIME, *(line for lines in EXTRAS.values() for line in lines)]}
LOCKS = IMAGES | DEMO | DEV

each = pytest.mark.parametrize("name", LOCKS)
each_part = pytest.mark.parametrize("name", IMAGES | DEMO)
each_image = pytest.mark.parametrize("name", IMAGES)


def entries(name: str) -> dict[str, tuple[Requirement, frozenset[str]]]:
    """What a lock file pins: requirement and hashes, by the line without its hashes."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.M).replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        pinned, *hashes = line.split("--hash=")
        found[pinned.strip()] = (Requirement(pinned), frozenset(value.strip() for value in hashes))
    return found


def applying(name: str) -> dict[str, Requirement]:
    """The pins that hold on this machine, by name."""
    return {
        canonicalize_name(pinned.name): pinned
        for pinned, _ in entries(name).values()
        if pinned.marker is None or pinned.marker.evaluate()
    }


def needed(requirements: Iterable[Requirement]) -> set[str]:
    """The names of all that requirements need on this machine, by what the installed packages say."""
    found: dict[str, set[str]] = {}
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        new = {"", *requirement.extras} - found.setdefault(name, set())
        found[name] |= new
        lines = distribution(name).requires or ()
        waiting += [(Requirement(line), wanted) for wanted in new for line in lines]
    return set(found)


@each
def test_each_file_that_may_be_installed_is_named_by_its_hash(name: str) -> None:
    for line, (pinned, hashes) in entries(name).items():
        assert re.fullmatch(r"==[^*,]+", str(pinned.specifier)), line
        assert pinned.url is None, line
        assert hashes, f"{line}: no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), line


@each
def test_no_lock_says_where_from(name: str) -> None:
    """Hashes say what is installed; from where is the installer's business."""
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", (ROOT / name).read_text())


@each
def test_the_locks_are_in_step_with_the_project(name: str) -> None:
    locked = applying(name)
    for asked in LOCKS[name]:
        if asked.marker is None or asked.marker.evaluate():
            (pin,) = locked[canonicalize_name(asked.name)].specifier
            assert asked.specifier.contains(pin.version), f"{asked}, but {pin}: run make lock"


@each
def test_what_is_installed_is_what_is_locked(name: str) -> None:
    differing = {}
    for package, pinned in applying(name).items():
        try:
            version = distribution(package).version
        except PackageNotFoundError:
            version = "nothing"
        if not pinned.specifier.contains(version, prereleases=True):
            differing[package] = f"{version}, not {pinned.specifier}"
    assert differing == {}


@each_part
def test_nothing_is_installed_that_is_not_needed(name: str) -> None:
    """No package of the tests or the plots, in an image none of the local runtime, and no left-over."""
    assert set(applying(name)) == needed(LOCKS[name])


FREE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|\bLGPL")
COPYLEFT = re.compile(r"\bA?GPL|Affero|\bGNU General")


@each_image
def test_whatever_is_in_the_image_may_be_passed_on_with_it(name: str) -> None:
    """By what packages say of themselves: nothing without a licence, nothing that would bind our own code."""
    for package in applying(name):
        metadata = distribution(package).metadata
        # Some give the texts of all that they contain; what they are under stands in the first line.
        own = metadata.get_all("License-Expression") or [
            text.strip().partition("\n")[0] for text in metadata.get_all("License") or []
        ]
        classifiers = [line for line in metadata.get_all("Classifier") or () if line.startswith("License ::")]
        said = " ".join([*own, *classifiers])
        assert FREE.search(said), f"{package}: {said[:200]}"
        assert not COPYLEFT.search(said), f"{package}: {said[:200]}"


@each_part
def test_what_is_tested_is_what_is_installed_elsewhere(name: str) -> None:
    image, tests = entries(name), entries("requirements-dev.lock")
    assert {line: tests.get(line) for line in image} == image


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "No broken requirements found.")
