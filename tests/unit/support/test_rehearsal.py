"""What `docs/operate.md` says to run is run: by the cluster's start, its tests or its scenarios."""

from pathlib import Path

from tests.cluster.rehearsal import blocks

REHEARSED = {"Install", "Upgrade, and roll back"}
"""The sections that tests run, on a cluster."""


def test_every_block_that_can_be_run_is_in_a_section_that_is_rehearsed() -> None:
    found = list(blocks())
    assert {block.kind for block in found} <= {"sh", "text", "yaml"}
    assert {block.section for block in found if block.kind == "sh"} == REHEARSED


def test_blocks_are_found_in_lists_too(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "## One\n\n1. Do:\n\n   ```sh\n   a \\\n       b\n   ```\n\n### Part\n\n```text\nc\n```\n"
    )
    one, other = blocks(page)
    assert (one.section, one.kind, one.line, one.text) == ("One", "sh", 5, "a \\\n    b")
    assert (other.section, other.kind, other.text) == ("One", "text", "c")
