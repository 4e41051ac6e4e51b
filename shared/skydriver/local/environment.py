"""The environment of the local runtime and of its children: a closed world.

A shell holds variables that are meant for other programs: proxies, AWS profiles, certificates, HTCondor and
Kubernetes configurations, settings of a production installation. So only what a program needs in order to
run at all is taken from the shell, by name; all else is what the local runtime says itself.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_TAKEN = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CACHE_HOME"),
        *("LANG", "LANGUAGE", "TZ"),
        # On a cluster's CVMFS, Python itself does not start without it.
        "LD_LIBRARY_PATH",
    }
)
_OWN = {
    # The AWS library would read files of the home folder, and ask the network for credentials.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def clean_environment() -> dict[str, str]:
    """Make the environment that every part of the local runtime starts from."""
    taken = {name: value for name, value in os.environ.items() if name in _TAKEN or name.startswith("LC_")}
    return {**taken, **_OWN}


@contextmanager
def process_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this process have this environment, and nothing else in it, while the context lasts."""
    before = {name: os.environ.get(name) for name in {*os.environ, *environment}}
    _change({name: environment.get(name) for name in before})
    try:
        yield
    finally:
        _change(before)


def _change(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
