"""What a node needs of this machine: root, namespaces of its own, and cgroups."""

import os
import shutil
import subprocess
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")


def why_not() -> str:
    """Say why this machine can run no node; empty if it can."""
    if os.geteuid() != 0:
        return "a node is run by root"
    for program in ("unshare", "nsenter", "ip", "setpriv"):
        if shutil.which(program) is None:
            return f"there is no {program} here"
    for controller in CONTROLLERS:
        if not os.access(CGROUPS / controller, os.W_OK):
            return f"a node needs cgroups of version 1, and {CGROUPS / controller} cannot be written"
    probe = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, check=False)
    if probe.returncode:
        return f"there are no namespaces to be had: {probe.stderr.decode().strip()}"
    return ""
