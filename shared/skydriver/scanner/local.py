"""Scanner servers as local processes: the stand-in scanner under the local runtime's job host."""

from typing import Any

from skydriver.runtime import local_jobs
from skydriver.scanner.command_line import STARTUP_FILE
from skydriver.scanner.era import Era
from skydriver.scanner.protocol import ScannerSpec, ScannerState, ScannerStatus

PROGRAMS = {Era.V3: "skydriver.standin.server", Era.V4: "skydriver.standin.v4.server"}
KIND = ("skydriver/kind", "scanner")


class LocalScanners:
    """One job a server, with two processes: the server and the uploader of its startup file."""

    folder = "."
    files_folder = "."

    def program(self, era: Era) -> tuple[str, ...]:
        """Tell how the stand-in of an era is run."""
        return ("python", "-m", PROGRAMS[era])

    async def start(self, spec: ScannerSpec) -> None:
        """Start a scanner server; where one of this name exists, leave it as it is."""
        uploader = {
            "SKYDRIVER_UPLOAD_URL": spec.upload_url,
            "SKYDRIVER_REPORT_URL": spec.report_url,
            "SKYDRIVER_REPORT_TOKEN": spec.token,
            "SKYDRIVER_SCAN_ID": spec.scan_id,
            "SKYDRIVER_ATTEMPT": str(spec.attempt),
        }
        await local_jobs.create(
            spec.name,
            labels={
                KIND[0]: KIND[1],
                "skydriver/scan-id": spec.scan_id,
                "skydriver/attempt": str(spec.attempt),
            },
            containers=[
                {
                    "name": "server",
                    "command": spec.arguments,
                    "env": spec.environment,
                    "files": spec.files,
                },
                {
                    "name": "uploader",
                    "command": [
                        "python",
                        "-m",
                        "skydriver.scanner.startup_uploader",
                        f"{self.folder}/{STARTUP_FILE}",
                    ],
                    "env": uploader,
                },
            ],
            deadline_seconds=spec.deadline,
        )

    async def stop(self, name: str) -> None:
        """End a scanner server; returns once it is verified gone, also where there was none."""
        await local_jobs.delete(name)

    async def request_stop(self, name: str) -> None:
        """Ask for a scanner server's end, which takes no time here."""
        await local_jobs.delete(name)

    async def list(self) -> dict[str, ScannerStatus]:
        """List every scanner server of this installation, by name."""
        return {name: _status(job) for name, job in (await local_jobs.find(*KIND)).items()}

    async def pods(self, name: str) -> dict[str, Any]:
        """Tell the status of a scanner server's pods, by pod, in the job host's own words."""
        job = (await local_jobs.find(*KIND)).get(name)
        return {} if job is None else {pod["name"]: pod for pod in job["pods"]}


def _status(job: dict[str, Any]) -> ScannerStatus:
    scan_id = job["labels"]["skydriver/scan-id"]
    attempt = int(job["labels"]["skydriver/attempt"])
    pod = job["pods"][0]
    match pod["phase"]:
        case "Failed":
            return ScannerStatus(
                scan_id,
                attempt,
                ScannerState.FAILED,
                reason=f"the scanner server died ({pod['message']})",
                # A server that ended by itself will do so again; one that was killed may not.
                transient=pod["reason"] in ("Killed", "NodeLost", "InputUnavailable"),
                timed_out=pod["reason"] == "DeadlineExceeded",
            )
        case phase:
            return ScannerStatus(scan_id, attempt, ScannerState(phase.lower()))
