"""The real components that tests need: missing ones skip their tests, or fail them where they are required.

SKYDRIVER_REQUIRE names the components that must be there, separated by commas: mongodb, s3, ...
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

COMPONENTS = {
    "bash": "bash",
    "chromium": "Chromium (make components)",
    "curl": "curl",
    "hadolint": "hadolint (install skydriver[test])",
    "kubernetes": "a Kubernetes control plane (make components)",
    "knative": "Knative Eventing's broker (make components)",
    "node": "a Kubernetes node: containerd and a base image (make components)",
    "serving": "Knative Serving (make components)",
    "kustomize": "kustomize (make components)",
    "mongodb": "a mongod (set SKYDRIVER_TEST_MONGODB_URI, or install skydriver[local])",
    "rabbitmq": "a RabbitMQ (make components)",
    "s3": "moto's S3 server (install skydriver[local])",
    "htcondor": "an HTCondor pool (make components)",
    "keycloak": "a Keycloak server (make components)",
    "npm": "npm's packages (make components)",
    "mount": "a small file system (mounted by root)",
    "pythons": "each Python that an image may have",
    "shared": "the folder ../shared with reference data beside the project",
    "skyreader": "icecube-skyreader (install skydriver[plot])",
    "unshare": "unshare (Debian: util-linux)",
}

_REQUIRED = frozenset(name.strip() for name in os.environ.get("SKYDRIVER_REQUIRE", "").split(",")) - {""}
if _unknown := _REQUIRED - COMPONENTS.keys():
    raise pytest.UsageError(f"SKYDRIVER_REQUIRE names what is no component: {', '.join(sorted(_unknown))}")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "skydriver-tests"
"""Where `make components` keeps what it built."""


def missing(component: str, why: str) -> None:
    """Skip a test whose component is missing, or fail it where it is required."""
    message = f"{component} is missing: {COMPONENTS[component]}: {why}"
    if component in _REQUIRED:
        pytest.fail(message)
    pytest.skip(message, allow_module_level=True)


def need_installed(component: str, module: str) -> None:
    """Look for a component's module without importing it."""
    if find_spec(module) is None:
        missing(component, f"there is no module {module}")


@contextmanager
def need(component: str) -> Iterator[None]:
    """Import what a component needs within this context."""
    try:
        yield
    except ImportError as error:
        missing(component, str(error))
