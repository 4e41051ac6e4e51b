"""What every backend of scanner servers does, and the words it speaks in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from skydriver.scanner.era import Era


class ScannerState(StrEnum):
    """What has become of a scanner server."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class ScannerSpec:
    """A scanner server to start. `environment`, `files` and `upload_url` hold secrets: keep them out of logs.

    Attributes:
        name: of the Job, `skyscan-ID` or `skyscan-ID-N`.
        scan_id: the scan.
        attempt: the number of this launch.
        docker_tag: of the scanner's image.
        arguments: the server's command line.
        environment: the server's environment.
        files: what only the server may read, by name: it finds them in the backend's `files_folder`.
        memory_bytes: what the server may use.
        upload_url: presigned, where the startup file is put.
        report_url: where the uploader posts its CloudEvent.
        token: the scanner's own.
        deadline: seconds after which it is ended.
    """

    name: str
    scan_id: str
    attempt: int
    docker_tag: str
    arguments: list[str]
    environment: dict[str, str]
    files: dict[str, str]
    memory_bytes: int
    upload_url: str
    report_url: str
    token: str
    deadline: int


@dataclass(frozen=True, slots=True)
class ScannerStatus:
    """What a backend knows of a scanner server.

    Attributes:
        scan_id: the scan it belongs to.
        attempt: the launch that made it.
        state: what has become of it.
        reason: why it failed, or has not started yet, in words.
        transient: whether another launch may help.
        timed_out: whether it failed because it reached its deadline.
    """

    scan_id: str
    attempt: int
    state: ScannerState
    reason: str | None = None
    transient: bool = True
    timed_out: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or may still come to run."""
        return self.state in (ScannerState.PENDING, ScannerState.RUNNING)


class ScannerBackend(Protocol):
    """Starts, lists and stops scanner servers.

    Any method raises TemporaryError where the backend does not answer or is full.
    """

    folder: str
    """The folder that a server shares with its uploader."""
    files_folder: str
    """The folder of the files that only a server may read."""

    def program(self, era: Era) -> tuple[str, ...]:
        """Tell how the scanner of an era is run there."""

    async def start(self, spec: ScannerSpec) -> None:
        """Start a scanner server; where one of this name exists, leave it as it is."""

    async def stop(self, name: str) -> None:
        """End a scanner server; returns once it is verified gone, also where there was none."""

    async def request_stop(self, name: str) -> None:
        """Ask for a scanner server's end, without waiting for it."""

    async def list(self) -> dict[str, ScannerStatus]:
        """List every scanner server of this installation, by name."""

    async def pods(self, name: str) -> dict[str, Any]:
        """Tell the status of a scanner server's pods, by pod, in the backend's own words."""
