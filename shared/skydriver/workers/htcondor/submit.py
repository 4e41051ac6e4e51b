"""The submit description of a worker cluster's HTCondor jobs: a pure builder, safe for any value.

The submit language expands `$(NAME)` anywhere in a value, ends a value at the end of its line, and leaves
`$$(NAME)` to be expanded where a job is matched (HTCondor manual, "Submit File Macros"). A lone `$` can be
written as `$(DOLLAR)`; two in a row, or a control character, cannot be written at all and are refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from skydriver.errors import PermanentError
from skydriver.model.redaction import MASK, is_secret, mask_urls
from skydriver.model.worker_pools import CondorCluster
from skydriver.settings import Settings
from skydriver.workers.htcondor.job_summary import UUID
from skydriver.workers.protocol import WorkersSpec
from skydriver.workers.v1_tms_args import worker_image

QUARANTINE = 1800
"""Seconds that a failed pilot waits before it ends, so that its slot takes no more work (v1's default)."""

_SHELL = "/bin/bash"
_ICETRAY = "/usr/local/icetray/env-shell.sh"
"""Sets the image's software up and runs its arguments: HTCondor runs no image's entrypoint."""
_I3_DATA = "/cvmfs/icecube.opensciencegrid.org/data"
_CVMFS = "HAS_CVMFS_icecube_opensciencegrid_org && has_avx && has_avx2"
"""What the scanner's software in CVMFS needs of a machine."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Description = dict[str, str]


def submit_description(spec: WorkersSpec, settings: Settings, *, pilot_url: str = "") -> Description:
    """Build what is submitted, once for all workers of a cluster.

    Output of workers whose logs are wanted is spooled: it stays with the schedd until it is fetched.

    Args:
        spec: the workers.
        settings: the installation's.
        pilot_url: presigned, where workers fetch the pilot, if they have one.

    Raises:
        PermanentError: a value cannot be written in the submit language.
    """
    known = spec.known
    if not isinstance(known, CondorCluster):
        raise PermanentError(f"workers on '{known.orchestrator}' are no HTCondor jobs")
    description = {
        "batch_name": _plain("scan id", f"skyscan-{spec.scan_id}"),
        **_program(known, spec, settings, pilot_url),
        "transfer_executable": "false",
        "environment": quoted_environment(_environment(known, spec, settings)),
        "requirements": _plain("requirements", _requirements(known)),
        "request_cpus": "1",
        "request_memory": str(_units(spec.memory_bytes, 2**20)),  # MiB
        "request_disk": str(_units(spec.disk_bytes, 2**10)),  # KiB
        "priority": str(spec.priority),
        "should_transfer_files": "YES",
        "transfer_input_files": ",".join(_url(url) for url in (spec.startup_url, pilot_url) if url),
        "transfer_output_files": '""',
        **(_LOGS if spec.collect_logs else _NO_LOGS),
        # Our own limit; glideins read the other one to tell whether a worker still fits into their lifetime.
        "periodic_remove": f"JobStatus == 2 && time() - JobCurrentStartDate > {spec.max_worker_runtime}",
        "+OriginalTime": str(spec.max_worker_runtime),
        # Without it a pilot cannot report its status.
        "+WantIOProxy": "true",
        # The job's ad keeps which site it was at: glideins name theirs.
        "job_machine_attrs": "GLIDEIN_Site",
        f"+{UUID}": _string(spec.uuid),
        "+SkyDriverScanId": _string(spec.scan_id),
    }
    return {name: value for name, value in description.items() if value}


def _requirements(known: CondorCluster) -> str:
    if known.requirements is not None:
        return known.requirements
    return _CVMFS if known.image == "cvmfs" else ""


_NO_LOGS = {"initialdir": "/tmp", "when_to_transfer_output": "ON_EXIT"}  # noqa: S108 - on the schedd's machine
_LOGS = {
    # Logs are fetched into the folder that the fetching process is in, not the one it was submitted from.
    "initialdir": "/proc/self/cwd",
    # The only names under which a schedd gives out what both ended and evicted jobs have left.
    "output": "_condor_stdout",
    "error": "_condor_stderr",
    "when_to_transfer_output": "ON_EXIT_OR_EVICT",
}


def _program(known: CondorCluster, spec: WorkersSpec, settings: Settings, pilot_url: str) -> Description:
    command = spec.command(
        python=known.python,
        pilot=f"./{transferred_file(pilot_url)}",
        client=known.command,
        startup_file=f"./{transferred_file(spec.startup_url)}",
    )
    if known.image != "none" and not spec.has_pilot:
        # The pilot looks for icetray itself, which has moved since v4.1.
        command = [_SHELL, _ICETRAY, *command]
    shell = {"executable": _plain("command", command[0]), "arguments": quoted_arguments(command[1:])}
    if known.image == "none":
        return shell
    image = worker_image(known, spec.docker_tag, settings)
    if known.image == "cvmfs":
        return {**shell, "+SingularityImage": _string(image)}
    return {**shell, "universe": "container", "container_image": _plain("image", f"docker://{image}")}


def _environment(known: CondorCluster, spec: WorkersSpec, settings: Settings) -> dict[str, str]:
    quarantine = settings.ewms_pilot_quarantine_time
    environment = {
        "EWMS_PILOT_HTCHIRP": "True",
        "EWMS_PILOT_QUARANTINE_TIME": str(QUARANTINE if quarantine is None else quarantine),
        **spec.environment,
    }
    if spec.collect_logs:
        environment["EWMS_PILOT_DUMP_TASK_OUTPUT"] = "True"
    if known.image != "none":
        # Both programs that may run the image take what is for its inside by a prefix of their own.
        environment |= {f"{program}ENV_I3_DATA": _I3_DATA for program in ("APPTAINER", "SINGULARITY")}
    if known.image == "container":
        environment["I3_DATA"] = _I3_DATA  # Docker takes it as it is
    return environment


def transferred_file(url: str) -> str:
    """Name the file that HTCondor's URL plugin makes of a URL: the last part of its path."""
    return unquote(PurePosixPath(urlsplit(url).path).name)


def starter_info(spec: WorkersSpec, settings: Settings, *, pilot_url: str = "") -> dict[str, Any]:
    """Tell users what is submitted, without its secrets.

    Raises:
        PermanentError: a value cannot be written in the submit language.
    """
    shown = replace(
        spec,
        environment={name: MASK if is_secret(name) else value for name, value in spec.environment.items()},
        startup_url=mask_urls(spec.startup_url),
    )
    described = submit_description(shown, settings, pilot_url=mask_urls(pilot_url))
    return {**described, "count": spec.n_workers}


# --- the submit language -------------------------------------------------------------------------------


def quoted_arguments(arguments: Sequence[str]) -> str:
    """Write arguments in HTCondor's "new syntax".

    Raises:
        PermanentError: one of them cannot be written.
    """
    return '"' + " ".join(_quoted("an argument", argument) for argument in arguments) + '"'


def quoted_environment(environment: Mapping[str, str]) -> str:
    """Write an environment in HTCondor's "new syntax".

    Raises:
        PermanentError: a variable cannot be written; the error names it.
    """
    return '"' + " ".join(_pair(name, value) for name, value in environment.items()) + '"'


def _pair(name: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise PermanentError(f"'{name}' is no name of an environment variable")
    return f"{name}={_quoted(name, value)}"


def _quoted(what: str, value: str) -> str:
    return "'" + _plain(what, value).replace("'", "''").replace('"', '""') + "'"


def _string(value: str) -> str:
    """Write a ClassAd string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_plain("an attribute", escaped)}"'


def _plain(what: str, value: str) -> str:
    """Write text so that the submit language takes it as it is."""
    if _CONTROL.search(value) or "$$" in value:
        raise PermanentError(f"{what} holds '$$' or a control character, which cannot be passed to HTCondor")
    return value.replace("$", "$(DOLLAR)")


def _url(url: str) -> str:
    # A list of files is separated by commas and blanks.
    if re.search(r"[,\s]", url):
        raise PermanentError("the address of a file holds a comma or a blank")
    return _plain("the address of a file", url)


def _units(amount: int, unit: int) -> int:
    """Count how many units hold an amount: never less than was asked for."""
    return -(-amount // unit)
