"""The program that brings a worker its files, before the worker's own container starts.

    python -m skydriver.workers.kubernetes.startup_fetcher STARTUP_FILE [PILOT_FILE]

It needs nothing but the standard library, and the presigned URL in SKYDRIVER_STARTUP_URL.
"""

import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

FIRST_DELAY = 1.0
MAX_DELAY = 60.0
TIMEOUT = 900.0


def fetch(url: str) -> bytes:
    """Fetch the file; tries again for a quarter of an hour.

    Raises:
        SystemExit: it was refused for good, or the time is over.
    """
    if not url.startswith(("http://", "https://")):
        sys.exit("only http and https are spoken here")
    delay, deadline = FIRST_DELAY, time.monotonic() + TIMEOUT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                sys.exit(f"the startup file was refused with {error.code}")
            reason = str(error.code)
        except (OSError, http.client.HTTPException) as error:
            reason = type(error).__name__
        if time.monotonic() > deadline:
            sys.exit(f"the startup file could not be fetched: {reason}")
        time.sleep(delay)
        delay = min(delay * 2, MAX_DELAY)


def main() -> None:
    """Fetch the startup file and write it whole, after the pilot, if that is wanted."""
    path = Path(sys.argv[1])
    for pilot in sys.argv[2:]:
        shutil.copyfile(Path(__file__).parents[1] / "pilot.py", pilot)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(fetch(os.environ["SKYDRIVER_STARTUP_URL"]))
    partial.rename(path)


if __name__ == "__main__":
    main()
