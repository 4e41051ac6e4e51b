"""What waited in the other installation's backlog is asked for here: a new scan of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from skydriver.errors import NotConfigured, SkyDriverError
from skydriver.lifecycle.users.rescan import rescan
from skydriver.settings import known_clusters
from skydriver.store.scans import imported as imported_scans


@dataclass
class Submitted:
    """Which scans were made of which, and which were refused, with the reason."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """Tell it to people."""
        return [
            f"{len(self.pairs)} scans of the former backlog are asked for here",
            *(f"  {former} -> {new}" for former, new in self.pairs),
            *(f"  {former} is not: {reason}" for former, reason in self.refused),
        ]


async def submit_backlog(ids: Sequence[str] = ()) -> Submitted:
    """Ask for a new scan of each imported one that waited; a repeat asks for none twice.

    The new scans are asked for by the settings of this process.

    Args:
        ids: only of these scans; else of all.

    Raises:
        NotConfigured: there is no file of known clusters.
    """
    try:
        known_clusters()
    except OSError:
        raise NotConfigured("CLUSTERS_FILE") from None
    done = Submitted()
    async for scan_id in imported_scans.from_backlog(ids):
        new_id = uuid5(NAMESPACE_URL, f"skydriver/{scan_id}/from-backlog").hex
        try:
            await rescan(scan_id, submitted_by=None, new_id=new_id)
        except SkyDriverError as error:
            done.refused.append((scan_id, str(error)))
        else:
            done.pairs.append((scan_id, new_id))
    return done
