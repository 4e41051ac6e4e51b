"""A task for HTCondor, done in a child process that is killed at its deadline."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import skydriver
from skydriver.errors import PermanentError, SkyDriverError, TemporaryError
from skydriver.settings import known_clusters_at, settings

CHILD = "skydriver.workers.htcondor.child"
TOKEN = "token"  # noqa: S105 - the name of a file
"""The key of a cluster's Secret under which its token is."""
GRACE = 1.0
"""Seconds that a child, which ends itself at its deadline, has more before it is killed."""

Place = Mapping[str, str]


async def call(
    place: Place, secret: str | None, task: str, *, seconds: float, **arguments: Any
) -> dict[str, Any]:
    """Have a task of `child` done, and return its answer.

    Args:
        place: the location, `{collector, schedd}`; without a collector the schedd's own host is asked.
        secret: the name of the Secret with the token, if there is one.
        task: its name.
        seconds: its deadline.
        arguments: what it needs to know.

    Raises:
        TemporaryError: there is no answer within the deadline, or none that helps.
        PermanentError: HTCondor refuses for good.
    """
    place = {"collector": place["schedd"], **place}
    request = {"task": task, **place, "deadline": seconds, **arguments}
    try:
        async with _configured(place, secret) as folder:
            answer = await _ask(request, folder, place, seconds)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise TemporaryError(f"HTCondor cannot be asked from here: {what}") from error
    if "trouble" in answer:
        raise _error(answer["trouble"], answer["text"], place, secret)
    return answer


def secret_at(place: Place, name: str | None = None) -> str | None:
    """Name the Secret for a location: of the known cluster of a name, if it is there, or of any that is.

    Raises:
        TemporaryError: no known cluster is there; an operator may add it again.
    """
    there = {known_name: known.secret for known_name, known in known_clusters_at("condor", place).items()}
    if not there:
        raise TemporaryError(f"no known cluster is at the schedd {place['schedd']} any longer")
    return there[name] if name in there else next(iter(there.values()))


@asynccontextmanager
async def _configured(place: Place, secret: str | None) -> AsyncIterator[Path]:
    """Make the folder that a child works in, with HTCondor's configuration and the token in it."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="skydriver-condor-"))
    try:
        (folder / "tokens").mkdir(mode=0o700)
        lines = [
            f"COLLECTOR_HOST = {place['collector']}",
            f"SEC_TOKEN_DIRECTORY = {folder}/tokens",
            "SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS",
        ]
        (folder / "config").write_text("\n".join([*lines, ""]))
        if secret is not None:
            # HTCondor wants the file to be readable by its owner alone.
            file = os.open(folder / "tokens" / TOKEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as token:
                token.write(_token(secret))
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _token(secret: str) -> str:
    try:
        return f"{(settings().cluster_secrets / secret / TOKEN).read_text().strip()}\n"
    except (OSError, UnicodeError) as error:
        raise TemporaryError(
            f"the secret '{secret}' has no readable key '{TOKEN}': {type(error).__name__}"
        ) from error


async def _ask(request: dict[str, Any], folder: Path, place: Place, seconds: float) -> dict[str, Any]:
    library = str(Path(skydriver.__file__).parents[1])
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={
            "PATH": os.defpath,
            "HOME": str(folder),
            "PYTHONPATH": library,
            "CONDOR_CONFIG": str(folder / "config"),
        },
    )
    try:
        async with asyncio.timeout(seconds + GRACE):
            output, complaints = await child.communicate(json.dumps(request).encode())
    except TimeoutError:
        raise _silence(place, seconds) from None
    finally:
        # Also where this step itself ran out of time.
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == -_ALARM:
        raise _silence(place, seconds)
    try:
        answer: dict[str, Any] = json.loads(output)
    except json.JSONDecodeError:
        last = complaints.decode(errors="replace").strip().splitlines()[-1:]
        raise TemporaryError(
            f"the HTCondor bindings gave up ({child.returncode}) on {place['schedd']}: {' '.join(last)}"
        ) from None
    return answer


_ALARM = 14


def _silence(place: Place, seconds: float) -> TemporaryError:
    return TemporaryError(
        f"the schedd {place['schedd']} or its collector {place['collector']} "
        f"did not answer within {seconds:g} s"
    )


def _error(trouble: str, text: str, place: Place, secret: str | None) -> SkyDriverError:
    """Put trouble into words that an operator understands."""
    schedd, collector = place["schedd"], place["collector"]
    match trouble:
        case "token" if secret is None:
            return PermanentError(
                f"the schedd {schedd} wants a token, and the cluster has no secret with one"
            )
        case "token":
            return PermanentError(
                f"the schedd {schedd} does not accept the token of the secret '{secret}': "
                "it is wrong or has expired"
            )
        case "denied":
            return PermanentError(
                f"the token of the secret '{secret}' does not allow this at the schedd {schedd}: {text}"
            )
        case "description":
            return PermanentError(f"HTCondor cannot read the submit description: {text}")
        case "bindings":
            return PermanentError(f"the HTCondor bindings are not installed here: {text}")
        case "full":
            return TemporaryError(f"the schedd {schedd} takes no more jobs of ours now: {text}")
        case "under way":
            return TemporaryError(f"a submission of these workers is still under way at the schedd {schedd}")
        case "unknown":
            return TemporaryError(f"the collector {collector} knows no schedd {schedd}: is it running?")
        case "collector":
            return TemporaryError(f"the collector {collector} does not answer")
        case _:
            return TemporaryError(f"the schedd {schedd} has trouble: {text}")
