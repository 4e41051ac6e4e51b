"""The program beside a scanner server that puts its startup file where workers can fetch it.

    python -m skydriver.scanner.startup_uploader STARTUP_FILE

It waits for the file, puts it to a presigned URL, and says `scanner.ready` as a CloudEvent. It needs nothing
but the standard library, and these environment variables: SKYDRIVER_UPLOAD_URL, SKYDRIVER_REPORT_URL,
SKYDRIVER_REPORT_TOKEN, SKYDRIVER_SCAN_ID, SKYDRIVER_ATTEMPT.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

POLL = 0.2
RETRY_DELAY = 1.0
MAX_DELAY = 60.0
TIMEOUT = 3600.0
TYPE = "org.icecube.skydriver.scanner.ready.v1"


def wait_for(path: Path) -> bytes:
    """Wait until the file holds a whole JSON document, and return it."""
    while True:
        try:
            content = path.read_bytes()
            json.loads(content)
            return content
        except (FileNotFoundError, ValueError):
            time.sleep(POLL)


def persist(what: str, call: Callable[[], None]) -> None:
    """Call until it works, for up to an hour.

    Raises:
        SystemExit: it was refused for good, or the hour is over.
    """
    delay, deadline = RETRY_DELAY, time.monotonic() + TIMEOUT
    while True:
        try:
            return call()
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 409, 429):
                sys.exit(f"{what}: refused with {error.code}")
            reason = str(error.code)
        except (OSError, http.client.HTTPException) as error:
            reason = type(error).__name__
        if time.monotonic() > deadline:
            sys.exit(f"{what}: given up after an hour ({reason})")
        print(f"{what}: {reason}, trying again in {delay:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
        time.sleep(delay)
        delay = min(delay * 2, MAX_DELAY)


def request(url: str, method: str, body: bytes, headers: dict[str, str]) -> None:
    """Send a request; raises urllib's errors where it is not answered with a 2xx."""
    if not url.startswith(("http://", "https://")):
        sys.exit("only http and https are spoken here")
    message = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
    with urllib.request.urlopen(message, timeout=30):  # noqa: S310
        pass


def main() -> None:
    """Wait, upload, report."""
    content = wait_for(Path(sys.argv[1]))
    environ = os.environ
    scan_id, attempt = environ["SKYDRIVER_SCAN_ID"], int(environ["SKYDRIVER_ATTEMPT"])
    persist(
        "upload of the startup file",
        lambda: request(
            environ["SKYDRIVER_UPLOAD_URL"], "PUT", content, {"Content-Type": "application/json"}
        ),
    )
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"{scan_id}/scanner.ready/{attempt}",
        "ce-source": "/skydriver/uploader",
        "ce-type": TYPE,
        "ce-subject": scan_id,
        "Content-Type": "application/json",
        "Authorization": f"Bearer {environ['SKYDRIVER_REPORT_TOKEN']}",
    }
    body = json.dumps({"attempt": attempt}).encode()
    persist(
        "report of scanner.ready", lambda: request(environ["SKYDRIVER_REPORT_URL"], "POST", body, headers)
    )


if __name__ == "__main__":
    main()
