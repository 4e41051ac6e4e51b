"""The browser, as a test starts it: without a window, and with no way to a host but this machine."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.components import missing
from tests.components.build import folder_of

_LIBRARIES = ("usr/lib/{0}", "usr/lib/{0}/pulseaudio", "lib/{0}")
_ARGUMENTS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",)


def program() -> Path:
    """The browser's program, or skip the test where it was not built."""
    path = folder_of("chromium") / "usr" / "lib" / "chromium" / "chromium-headless-shell"
    if not path.is_file():
        missing("chromium", f"there is no {path}")
    return path


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run the browser while the context lasts."""
    executable = program()
    folder = folder_of("chromium")
    kind = next(path.name for path in (folder / "usr" / "lib").glob("*-linux-gnu"))
    libraries = ":".join(str(folder / name.format(kind)) for name in _LIBRARIES)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=executable,
            args=_ARGUMENTS,
            # Root has no sandbox; all others need one.
            chromium_sandbox=os.geteuid() != 0,
            # Its libraries are not where the system looks, and no proxy of the shell's is for it.
            env={
                "LD_LIBRARY_PATH": libraries,
                "FONTCONFIG_FILE": str(folder / "fonts.conf"),
                "HOME": os.environ.get("HOME", "/tmp"),
            },
            timeout=300_000,
        )
        try:
            yield started
        finally:
            await started.close()
