"""What `skydriver import` and `skydriver export` do, from a laptop or as a Job: the same for both."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

import skydriver
from skydriver.errors import InvalidArguments, NotConfigured, TemporaryError
from skydriver.importing.export import Exported, export
from skydriver.importing.plain import table
from skydriver.importing.run import Import, Tell
from skydriver.importing.source import Source, named_database, same_database
from skydriver.importing.submit_backlog import submit_backlog
from skydriver.importing.verify import verify
from skydriver.model.json_text import read_json
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import known_clusters, settings

SOURCE_VARIABLE = "SKYDRIVER_IMPORT_FROM"
ALL = "all"
NOWHERE = "http://localhost"


@dataclass(frozen=True)
class Asked:
    """What an import is asked to do.

    Attributes:
        source: the URI of the other database.
        dry_run: only say what would happen.
        only: only these scans; of `submit_backlog`, too.
        verify: compare so many scans, or `all`, and write nothing.
        submit_backlog: afterwards, ask for a new scan of each that waited; not with `verify`.
        ewms: a file with what EWMS says of workflows.
        report: where the report is written, as JSON.
    """

    source: str
    dry_run: bool = False
    only: tuple[str, ...] = ()
    verify: str | None = None
    submit_backlog: bool = False
    ewms: Path | None = None
    report: Path | None = None


async def run_import(asked: Asked, tell: Tell) -> tuple[bool, dict[str, Any]]:
    """Do it, and tell what was done.

    Returns:
        False if `verify` has found a difference; and the report, for programs.

    Raises:
        InvalidArguments: what was given cannot be meant.
        TemporaryError: a database does not answer; what was written stays, and a repeat goes on from there.
    """
    with _database_errors():
        try:
            async with Source(asked.source) as source:
                _check(asked, source)
                if asked.verify is not None:
                    found = await verify(source, size=_size(asked.verify))
                    _tell(tell, found.sentences())
                    return not found.differ.count, asdict(found)
                work = Import(
                    source,
                    dry_run=asked.dry_run,
                    deactivated=read_ewms(asked.ewms) if asked.ewms else {},
                    tell=tell,
                )
                report = await (work.only(asked.only) if asked.only else work.all())
            _tell(tell, report.sentences())
            said: dict[str, Any] = report.as_json()
            if asked.submit_backlog and not asked.dry_run:
                submitted = await submit_backlog(asked.only)
                _tell(tell, submitted.sentences())
                said["submitted"] = submitted.pairs
                said["refused"] = submitted.refused
            if asked.report is not None:
                asked.report.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
            return True, said
        finally:
            await PerLoop.close_all()


async def run_export(folder: Path, ids: Sequence[str], tell: Tell) -> Exported:
    """Write scans as files.

    Raises:
        TemporaryError: the database does not answer.
    """
    with _database_errors():
        try:
            exported = await export(folder, ids)
        finally:
            await PerLoop.close_all()
    _tell(tell, exported.sentences())
    return exported


def use_database(uri: str | None) -> None:
    """Let this process work on a database: this one, or that of MONGODB_URI.

    What functions need besides gets values that lead nowhere, unless the environment has them: an import
    needs the database alone. To ask for scans, it needs the installation's own settings.

    Raises:
        NotConfigured: no database is named.
        InvalidArguments: this is no URI of a database.
    """
    if uri is not None:
        os.environ["MONGODB_URI"] = uri
    given = os.environ.get("MONGODB_URI")
    if not given:
        raise NotConfigured("MONGODB_URI")
    if uri is not None and (name := named_database(uri)):
        os.environ["MONGODB_DATABASE"] = name
    clusters = Path(skydriver.__file__).parents[2] / "knative/base/clusters.yaml"
    for name, value in {
        "SKYDRIVER_URL": NOWHERE,
        "K_SINK": "http://127.0.0.1:9",
        "CLUSTERS_FILE": str(clusters),
    }.items():
        os.environ.setdefault(name, value)
    if not os.environ.get("AUTH_OPENID_URL"):
        os.environ.setdefault("SKYDRIVER_NO_AUTH", "true")
    for cached in (settings, known_clusters):
        cached.cache_clear()


def read_ewms(path: Path) -> dict[str, str]:
    """Read how workflows have ended: EWMS's answers, by workflow id or as a list, also within `workflows`.

    Raises:
        InvalidArguments: it is no such file.
    """
    try:
        content = read_json(path.read_bytes())
    except ValueError as error:
        raise InvalidArguments({"ewms": f"{path.name} is no JSON: {error}"}) from None
    found = content.get("workflows", content) if isinstance(content, dict) else content
    workflows = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(workflows, list):
        raise InvalidArguments({"ewms": f"{path.name} holds no workflows"})
    return {
        str(one["workflow_id"]): str(one["deactivated"])
        for one in map(table, workflows)
        if one.get("deactivated") and one.get("workflow_id")
    }


def _check(asked: Asked, source: Source) -> None:
    if asked.submit_backlog:
        _check_submission(asked)
    ours = settings().mongodb_uri
    if ours is not None and same_database(
        asked.source, source.name, ours.get_secret_value(), settings().mongodb_database
    ):
        raise InvalidArguments(
            {
                "source": f"it is the database '{source.name}' that this installation works on, and an "
                "import writes nothing into its source: give one of them another name"
            }
        )


def _check_submission(asked: Asked) -> None:
    if asked.verify is not None:
        raise InvalidArguments({"submit_backlog": "a comparison writes nothing: leave out --verify"})
    if settings().skydriver_url == NOWHERE:
        raise InvalidArguments({"submit_backlog": "set SKYDRIVER_URL to the service's public address"})
    # Its default is for one machine: it would show in manifests, and refuse what the installation takes.
    if "scanner_backend" not in settings().model_fields_set:
        raise InvalidArguments(
            {
                "submit_backlog": "SCANNER_BACKEND is not set: new scans need the installation's settings "
                "(settings.env of knative/base and of its overlay); the Job of knative/import has them"
            }
        )


def _size(wanted: str) -> int | None:
    if wanted == ALL:
        return None
    if not wanted.isdigit() or not int(wanted):
        raise InvalidArguments({"verify": f"must be a number of scans, or '{ALL}'"})
    return int(wanted)


def _tell(tell: Tell, sentences: list[str]) -> None:
    for sentence in sentences:
        tell(sentence)


@contextmanager
def _database_errors() -> Iterator[None]:
    """Tell errors of the driver in sentences, which hold neither addresses nor documents."""
    try:
        yield
    except (InvalidURI, ConfigurationError) as error:
        raise InvalidArguments({"source": f"this is no MongoDB URI ({type(error).__name__})"}) from None
    except PyMongoError as error:
        raise TemporaryError(
            f"a database does not answer as it should ({type(error).__name__}); what was written stays, "
            "and a repeat goes on from there"
        ) from None
