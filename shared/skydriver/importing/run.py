"""The import itself: batch by batch, in bounded memory, as often as one likes, also twice at once.

A scan that is not here is inserted. One that is here is compared by its digest. If that differs, it is read
anew *after* what stands here was read, and replaced only if nothing has changed meanwhile: of two imports the
one that has read the newer source wins. Results and events are stored before the scans that point to them,
under ids that follow from their content.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bson import ObjectId

from skydriver.importing.convert import (
    Converted,
    Sources,
    convert,
    event_json,
    id_of,
    manifest_event_id,
    size_of,
)
from skydriver.importing.masks import masked, secrets_in
from skydriver.importing.plain import Unreadable, decode, is_text, name_of, number, plain, text, to_json
from skydriver.importing.report import Progress, Report
from skydriver.importing.source import BACKLOG, EVENTS, MANIFESTS, REQUESTS, RESULTS, Source
from skydriver.model.documents import ImportAside, Imported, ResultPiece, WholeScan
from skydriver.store import i3_events, import_asides, results
from skydriver.store.i3_events import ImportedEvent
from skydriver.store.indexes import ensure_indexes
from skydriver.store.scans import imported as imported_scans
from skydriver.store.scans import reports as scan_reports

MAX_BUFFER = 8 * 2**20
"""Bytes that wait to be written."""
MAX_ASIDE = 2**20
"""Bytes that are kept of what could not be taken."""
MAX_TRIES = 10
"""Of one scan, while others change it."""
VERSIONS_AT_ONCE = 1000
"""Versions of results that are compared with the scans that point to them at once."""

Tell = Callable[[str], None]
Version = tuple[str, ObjectId]
"""Of an imported result: its scan, and the version's name."""


class Ready(NamedTuple):
    """A scan that waits to be inserted."""

    scan: WholeScan
    pieces: list[ResultPiece]
    event: ImportedEvent | None


def silent(_: str) -> None:
    """Tell nothing."""


class Import:
    """Takes scans, results and events from another database.

    Args:
        source: the other database.
        dry_run: whether nothing is written.
        deactivated: how workflows have ended, by EWMS.
        tell: is told the progress.
    """

    def __init__(
        self,
        source: Source,
        *,
        dry_run: bool = False,
        deactivated: Mapping[str, str] | None = None,
        tell: Tell = silent,
    ) -> None:
        self.report = Report(dry_run=dry_run)
        self._source = source
        self._deactivated = deactivated or {}
        self._tell = tell
        self._ready: list[Ready] = []
        self._waiting = 0
        self._again: list[str] = []
        self._asides: list[ImportAside] = []
        self._new_events: set[str] = set()
        self._resolved: dict[str, str] = {}

    async def all(self) -> Report:
        """Take everything.

        Raises:
            InvalidArguments: this is no database of SkyDriver's.
        """
        begun, began_at = time.monotonic(), time.time()
        progress = Progress(await self._begin())
        left = set() if self.report.dry_run else await self._unclaimed()
        await self._events(None)
        async for batch in self._source.manifests():
            await self._batch(batch)
            if line := progress.line(self.report.scans):
                self._tell(line)
        for name in (RESULTS, REQUESTS, BACKLOG):
            async for own_id, scan_id in self._source.orphans(name):
                await self._set_aside(name, own_id, "there is no manifest of its scan", scan_id=scan_id)
        await self._keep_asides()
        if not self.report.dry_run:
            await import_asides.forget(began_at)
            for scan_id, version in await _without_scan(left):
                await results.remove(scan_id, version)
        self.report.seconds = time.monotonic() - begun
        return self.report

    async def only(self, ids: Iterable[str]) -> Report:
        """Take these scans only."""
        begun = time.monotonic()
        await self._begin()
        for scan_id in ids:
            self.report.scans += 1
            await self._one(scan_id)
        await self._keep_asides()
        self.report.seconds = time.monotonic() - begun
        return self.report

    async def _begin(self) -> int:
        total = await self._source.open()
        if not self.report.dry_run:
            await ensure_indexes()
        for name in await self._source.unindexed():
            self.report.remarks.append(
                f"'{name}' has no index of scan_id there, so that each batch reads all of it: a copy with "
                "the original's indexes is much faster"
            )
        return total

    async def _unclaimed(self) -> set[Version]:
        """Find imported results that no scan points to: what an import that was killed has left.

        Those of another import that is under way are pointed to before this one ends.
        """
        unclaimed: set[Version] = set()
        batch: set[Version] = set()
        async for one in results.imported_versions():
            batch.add(one)
            if len(batch) >= VERSIONS_AT_ONCE:
                unclaimed |= await _without_scan(batch)
                batch = set()
        return unclaimed | await _without_scan(batch)

    # --- events -------------------------------------------------------------------------------------------

    async def _events(self, ids: Iterable[str] | None) -> dict[str, str]:
        """Take the events of these ids, or all; and say what they are called here."""
        taken: dict[str, str] = {}
        batch: list[ImportedEvent] = []
        size = 0
        async for raw in self._source.events(ids):
            event = await self._event(raw)
            if event is None:
                continue
            if event.former_id is not None and (ids is not None or self.report.dry_run):
                taken[event.former_id] = event.event_id
            batch.append(event)
            size += len(event.json)
            if size >= MAX_BUFFER:
                await self._put_events(batch)
                batch, size = [], 0
        await self._put_events(batch)
        if self.report.dry_run:
            self._resolved |= taken
        return taken

    async def _event(self, raw: bytes) -> ImportedEvent | None:
        own_id, former = "unknown", None
        try:
            document = decode(raw)
            own_id, former = name_of(document), document.get("i3_event_id")
            if not is_text(former) or not former:
                raise Unreadable("it has no `i3_event_id`")
            content = event_json(document.get("json_dict"))
        except Unreadable as error:
            await self._set_aside(EVENTS, own_id, str(error))
            return None
        return ImportedEvent(i3_events.id_of(content), content, former)

    async def _put_events(self, batch: list[ImportedEvent]) -> None:
        known = await i3_events.known_as(event.former_id for event in batch if event.former_id is not None)
        new = [event for event in batch if known.get(event.former_id or "") != event.event_id]
        self.report.events += len(new)
        self.report.bytes += sum(len(event.json) for event in new)
        if not self.report.dry_run:
            await i3_events.put_imported(new)

    # --- scans --------------------------------------------------------------------------------------------

    async def _batch(self, raws: list[bytes]) -> None:
        manifests: dict[str, dict[str, Any]] = {}
        for raw in raws:
            self.report.scans += 1
            read = await self._manifest(raw)
            if read is None:
                continue
            scan_id, manifest = read
            if scan_id in manifests:
                self._again.append(scan_id)
            manifests[scan_id] = manifest
        known, requests, backlog, event_ids = await asyncio.gather(
            imported_scans.marks(manifests),
            self._source.requests_of(manifests),
            self._source.backlog_of(manifests),
            self._event_ids(manifests.values()),
        )

        async def take(scan_id: str, result: bytes | None) -> None:
            await self._take(
                Sources(
                    manifest=manifests[scan_id],
                    result=result,
                    request=requests.get(scan_id),
                    in_backlog=scan_id in backlog,
                    event_ids=event_ids,
                    deactivated=self._deactivated,
                ),
                known,
            )

        seen = set(self._again)
        async for scan_id, result in self._source.results_of(manifests):
            if scan_id not in manifests:
                await self._set_aside(RESULTS, "unknown", "its BSON cannot be decoded")
                continue
            if scan_id in seen:
                # More than one result: which one counts is decided where all are read.
                if scan_id not in self._again:
                    self._again.append(scan_id)
                continue
            seen.add(scan_id)
            await take(scan_id, result)
        for scan_id in manifests:
            if scan_id not in seen:
                await take(scan_id, None)
        self._again += await self._write()
        again, self._again = self._again, []
        for scan_id in again:
            await self._one(scan_id)

    async def _manifest(self, raw: bytes) -> tuple[str, dict[str, Any]] | None:
        own_id = "unknown"
        try:
            manifest = decode(raw)
            own_id = name_of(manifest)
            return id_of(manifest), manifest
        except Unreadable as error:
            await self._set_aside(MANIFESTS, own_id, str(error), document=_decoded(raw))
            return None

    async def _event_ids(self, manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Say what the events that manifests name are called here, and take those that came meanwhile."""
        named = {one for manifest in manifests if (one := manifest_event_id(manifest))}
        known = await i3_events.known_as(named)
        known |= {one: self._resolved[one] for one in named & self._resolved.keys()}
        missing = named - known.keys()
        return known | (await self._events(missing) if missing else {})

    async def _take(self, sources: Sources, known: Mapping[str, Imported | None]) -> None:
        made = await self._converted(sources)
        if made is None:
            return
        scan_id = made.scan["_id"]
        if scan_id in known:
            mark = known[scan_id]
            if mark is None:
                self.report.not_imported.add(scan_id)
            elif mark["digest"] == imported_scans.digest_of(made.scan):
                self.report.unchanged += 1
            else:
                self._again.append(scan_id)
            return
        self._ready.append(self._prepared(made))
        self._waiting += size_of(made)
        if self._waiting >= MAX_BUFFER:
            self._again += await self._write()

    async def _converted(self, sources: Sources) -> Converted | None:
        manifest = sources.manifest
        own_id = name_of(manifest)
        try:
            made = convert(sources)
        except Unreadable as error:
            await self._set_aside(
                MANIFESTS, own_id, str(error), scan_id=text(manifest.get("scan_id")), document=manifest
            )
            return None
        if made.notes:
            reason = "; ".join(made.notes)
            await self._set_aside(MANIFESTS, own_id, reason, scan_id=made.scan["_id"], document=manifest)
        return made

    def _prepared(self, made: Converted) -> Ready:
        pointer = made.scan["result"]
        pieces = (
            results.imported_pieces(made.scan["_id"], pointer["version"], made.result)
            if pointer and made.result is not None
            else []
        )
        made.scan["imported"] = {"at": time.time(), "digest": imported_scans.digest_of(made.scan)}
        event_id = made.scan["i3_event_id"]
        event = None if made.event is None else ImportedEvent(event_id, made.event, None)
        return Ready(made.scan, pieces, event)

    async def _write(self) -> list[str]:
        """Write what waits: events and results first, then the scans that point to them.

        Returns:
            The scans that were here already, by id: nothing of them was written.
        """
        ready, self._ready = self._ready, []
        self.report.bytes += self._waiting
        self._waiting = 0
        inline = {one.event.event_id: one.event for one in ready if one.event is not None}
        self.report.results += sum(bool(one.pieces) for one in ready)
        if self.report.dry_run:
            new = inline.keys() - self._new_events
            self.report.events += len(new)
            self._new_events |= new
            self.report.written += len(ready)
            return []
        if not ready:
            return []
        self.report.events += len(inline.keys() - self._new_events)
        await i3_events.put_imported(list(inline.values()))
        await results.put_imported([piece for one in ready for piece in one.pieces])
        present, refused = await imported_scans.insert([one.scan for one in ready])
        await self._check_pieces(ready)
        self.report.written += len(ready) - len(present) - len(refused)
        for scan_id, reason in refused.items():
            await self._set_aside(MANIFESTS, scan_id, reason, scan_id=scan_id)
        return sorted(present)

    async def _check_pieces(self, ready: list[Ready]) -> None:
        """See that what scans point to is there: another import may have removed it before they did."""
        expected = {one.pieces[0]["_id"]: one for one in ready if one.pieces}
        missing = expected.keys() - await results.present(expected)
        await results.put_imported([piece for one in missing for piece in expected[one].pieces])

    # --- one scan, with care ------------------------------------------------------------------------------

    async def _one(self, scan_id: str) -> None:
        """Take a scan that is here already, or may be, or of which there is more than one."""
        for _ in range(MAX_TRIES):
            # In this order: what is read there is newer than what stands here.
            here = await imported_scans.whole(scan_id)
            sources = await self._sources_of(scan_id)
            if sources is None:
                await self._set_aside(
                    MANIFESTS, scan_id, "there is no manifest of this scan", scan_id=scan_id
                )
                return
            made = await self._converted(sources)
            if made is None or await self._placed(made, here):
                return
        self.report.both_changed.add(scan_id)

    async def _placed(self, made: Converted, here: WholeScan | None) -> bool:
        """Write a scan in the place of what stands here; False if that has changed meanwhile."""
        scan, counted = made.scan, size_of(made)
        if here is None:
            self._ready, self._waiting = [self._prepared(made)], counted
            return not await self._write()
        mark = here.get("imported")
        if mark is None:
            self.report.not_imported.add(scan["_id"])
            return True
        own = await imported_scans.made_here(here["request"]["rescan_ids"])
        if mark["digest"] == imported_scans.digest_of(scan):
            self.report.unchanged += 1
            return True
        if mark["digest"] != imported_scans.digest_of(here, without_rescans=own):
            self.report.both_changed.add(scan["_id"])
            return True
        ready = self._prepared(made)
        rescans = scan["request"]["rescan_ids"]
        scan["request"]["rescan_ids"] = rescans + [
            one for one in here["request"]["rescan_ids"] if one in own and one not in rescans
        ]
        if not self.report.dry_run:
            if ready.event is not None:
                await i3_events.put_imported([ready.event])
            await results.put_imported(ready.pieces)
            if not await imported_scans.replace(scan, before=here):
                return False
            await self._check_pieces([ready])
            await self._remove_former(here, scan)
        self.report.rewritten += 1
        self.report.results += bool(ready.pieces)
        self.report.bytes += counted
        return True

    async def _remove_former(self, before: WholeScan, after: WholeScan) -> None:
        former, now = before["result"], after["result"]
        version = former and former.get("version")
        if version is not None and (now is None or now.get("version") != version):
            await results.remove(before["_id"], version)

    async def _sources_of(self, scan_id: str) -> Sources | None:
        """Read everything of one scan. Of several manifests or results of it the last one counts."""
        manifests = []
        for raw in await self._source.manifests_of(scan_id):
            read = await self._manifest(raw)
            if read is not None:
                manifests.append(read[1])
        if not manifests:
            return None
        manifest = max(manifests, key=lambda one: (number(one.get("last_updated")) or 0.0, name_of(one)))
        await self._source.first_of(scan_id)
        requests = await self._source.requests_of([scan_id])
        return Sources(
            manifest=manifest,
            result=await self._result_of(scan_id),
            request=requests.get(scan_id),
            in_backlog=bool(await self._source.backlog_of([scan_id])),
            event_ids=await self._event_ids([manifest]),
            deactivated=self._deactivated,
        )

    async def _result_of(self, scan_id: str) -> bytes | None:
        """Choose among the results of a scan: a final one, then the one that was stored last."""
        best: tuple[tuple[bool, bool, str], bytes] | None = None
        async for _, raw in self._source.results_of([scan_id]):
            document = _decoded(raw) or {}
            has_content = isinstance(document.get("skyscan_result"), dict)
            rank = (has_content, bool(document.get("is_final")), name_of(document))
            if best is None or rank > best[0]:
                best = (rank, raw)
        return best and best[1]

    # --- what could not be taken --------------------------------------------------------------------------

    async def _set_aside(
        self,
        place: str,
        own_id: str,
        reason: str,
        *,
        scan_id: str | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        self.report.aside.add(f"{place} {scan_id or own_id}: {reason}")
        self._asides.append(
            import_asides.aside(place, own_id, reason, scan_id=scan_id, json=_shown(document))
        )
        if len(self._asides) >= 100:
            await self._keep_asides()

    async def _keep_asides(self) -> None:
        asides, self._asides = self._asides, []
        if not self.report.dry_run:
            await import_asides.keep(asides)


async def _without_scan(versions: set[Version]) -> set[Version]:
    claimed = await scan_reports.result_versions({scan_id for scan_id, _ in versions})
    return {(scan_id, version) for scan_id, version in versions if claimed.get(scan_id) != version}


def _decoded(raw: bytes) -> dict[str, Any] | None:
    try:
        return decode(raw)
    except Unreadable:
        return None


def _shown(document: Mapping[str, Any] | None) -> bytes | None:
    """Write a document as far as it can be read, secrets masked, unless it is large."""
    if document is None:
        return None
    try:
        value = plain(document)
        content = to_json(masked(value, secrets_in(value)))
    except Unreadable:
        return None
    return content if len(content) <= MAX_ASIDE else None
