"""The files of all functions."""

from tests.conftest import ROOT

KINDS = ("api", "ui", "steps", "cron")
"""The folders of `functions/`, a kind of function each."""
SOURCES = sorted(path for kind in KINDS for path in (ROOT / "functions" / kind).glob("[!_]*.py"))
