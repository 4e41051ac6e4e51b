"""The stand-in scanner's server: ``python -m skydriver.standin.server``.

Gets the event from SkyDriver (or a file), opens its pixel queue, writes the workers' startup file,
scans, reports. Exit status: 0 after the final reports; 1 for an event that cannot be scanned,
reports that could not be brought home, silent workers or a crash; 2 for a wrong command line or
environment; 130 after SIGINT (an abort), 143 after SIGTERM.
"""

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from os import environ

from skydriver.standin import algorithms, files
from skydriver.standin.arguments import Arguments, parse
from skydriver.standin.event import Event, EventError, decode
from skydriver.standin.kill_switch import KillSwitch
from skydriver.standin.ledger import Ledger
from skydriver.standin.pixel_server import PixelServer, Task
from skydriver.standin.pixels import PixelQueue
from skydriver.standin.process import EXIT_USAGE, exit_status, get_event, set_up
from skydriver.standin.refinement import Progression
from skydriver.standin.reporter import Reporter, Sink, SkyDriverSink
from skydriver.standin.reports import ScanFacts
from skydriver.standin.scan import NoRecos, Scan
from skydriver.standin.settings import Settings, SettingsError
from skydriver.standin.skydriver_api import CallError, Client
from skydriver.standin.surface import Surface

logger = logging.getLogger("skydriver.standin.server")

FAREWELL_SECONDS = 2.0
"""How long the server stays for workers that have not yet heard that the scan is over."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a whole scan; returns the exit status."""
    start = time.time()
    try:
        settings = Settings.from_environment(environ)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    arguments = parse(sys.argv[1:] if argv is None else argv, bool(settings.address))
    signals = set_up(settings.log_level, settings.log_level_third_party)
    logger.info("This is a stand-in for the Skymap Scanner: its likelihood is made up")
    scan = partial(_scan, arguments, settings, start)
    return exit_status(logger, scan, signals, EventError, CallError, NoRecos)


def _scan(arguments: Arguments, settings: Settings, start: float) -> None:
    skydriver = (settings.address, settings.token, settings.scan_id)
    event = decode(get_event(arguments.event_file, skydriver), arguments.is_real_event)
    logger.info("The event is %s of MJD %.6f", event.name, event.mjd)
    files.make_staging_folder()
    files.note_event(arguments.cache_dir, event)

    scan_id = settings.scan_id or _made_up_scan_id(event, arguments.progression, start)
    variations = algorithms.variations(arguments.reco_algo, settings.mini_test)
    facts = ScanFacts(scan_id, event, arguments.progression, variations, arguments.threshold, start)
    ledger = Ledger(variations)
    queue = PixelQueue(settings.lease_seconds)
    task = Task(arguments.reco_algo, variations, Surface.around(event))
    sinks: list[Sink] = []
    with ExitStack() as stack:
        server = stack.enter_context(PixelServer(queue, task, scan_id, settings.host))
        startup = files.startup(scan_id, event, server.url, settings.for_workers)
        files.write_json(arguments.client_startup_json, startup)
        logger.info("Workers find their pixels at %s", server.url)
        if settings.address:
            sinks.append(SkyDriverSink(Client.patient(*skydriver), Client.urgent(*skydriver)))
            poller = Client.patient(*skydriver)  # its own: it runs in another thread
            stack.enter_context(KillSwitch(poller, settings.kill_switch_interval))
        if arguments.output_dir is not None:
            sinks.append(files.FileSink(arguments.output_dir, event))
        reporter = Reporter(facts, ledger, sinks, settings.progress_interval, settings.result_interval)
        Scan(
            facts,
            ledger,
            queue,
            reporter,
            first_round_within=algorithms.ALGORITHMS[arguments.reco_algo].first_round_within,
            reco_timeout=settings.reco_timeout,
        ).run()
        # Not before the final reports are home: until then workers stay, as the real ones do.
        queue.close()
        server.wait_until_workers_left(FAREWELL_SECONDS)


def _made_up_scan_id(event: Event, progression: Progression, start: float) -> str:
    """What the real scanner makes of an empty scan id."""
    steps = (f"{nside}:{extension}" for nside, extension in progression)
    return "-".join([str(event.event_id), *steps, f"{start:.0f}"])


if __name__ == "__main__":
    sys.exit(main())
