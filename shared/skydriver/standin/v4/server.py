"""The stand-in's server since v4: ``python -m skydriver.standin.v4.server``.

Gets the event from SkyDriver (or a file), writes the workers' startup file, waits until SkyDriver says that
workers run, scans over the broker, reports. Exit status: 0 after the final reports; 1 for a wrong
environment, an event that cannot be scanned, a SkyDriver or a broker out of reach, silent workers, or a
crash; 2 for a wrong command line; 130 after SIGINT (an abort), 143 after SIGTERM.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from os import environ
from typing import Any

from skydriver.standin import algorithms, files, pixelation
from skydriver.standin.arguments import Arguments, parse
from skydriver.standin.event import Event, EventError, decode
from skydriver.standin.kill_switch import KillSwitch, interrupt_self, stopped_since_v4
from skydriver.standin.ledger import Ledger
from skydriver.standin.process import EXIT_FAILED, exit_status, get_event, set_up
from skydriver.standin.recos import RecoId
from skydriver.standin.reporter import Reporter, Sink, SkyDriverSink
from skydriver.standin.reports import ScanFacts
from skydriver.standin.scan import NoRecos, Scan
from skydriver.standin.settings import SettingsError
from skydriver.standin.skydriver_api import CallError, Client
from skydriver.standin.surface import Surface
from skydriver.standin.v4.messages import BadMessage, PixelTask, write_pixel
from skydriver.standin.v4.queue import BrokerError, BrokerQueue, read_profiles
from skydriver.standin.v4.reports import pointed_pixels, progress_body
from skydriver.standin.v4.settings import EPILOG, Settings

logger = logging.getLogger("skydriver.standin.v4.server")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a whole scan; returns the exit status."""
    start = time.time()
    try:
        settings = Settings.from_environment(environ)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILED
    arguments = parse(
        sys.argv[1:] if argv is None else argv,
        bool(settings.address),
        program="v4.server",
        epilog=EPILOG,
        makes_folders=True,
    )
    signals = set_up(settings.log_level, settings.log_level_third_party)
    logging.getLogger("mqclient").setLevel(settings.log_level_mqclient)
    logger.info("This is a stand-in for the Skymap Scanner: its likelihood is made up")
    return exit_status(
        logger,
        partial(_scan, arguments, settings, start),
        signals,
        EventError,
        CallError,
        NoRecos,
        BrokerError,
        BadMessage,
    )


def _scan(arguments: Arguments, settings: Settings, start: float) -> None:
    skydriver = (settings.address, settings.token, settings.scan_id)
    document = get_event(arguments.event_file, skydriver)
    event = decode(document, arguments.is_real_event)
    logger.info("The event is %s of MJD %.6f", event.name, event.mjd)
    files.make_staging_folder()
    files.note_event(arguments.cache_dir, event)
    files.write_json(arguments.client_startup_json, startup(event))

    variations = algorithms.variations(arguments.reco_algo, settings.mini_test)
    facts = ScanFacts(settings.scan_id, event, arguments.progression, variations, arguments.threshold, start)
    ledger = Ledger(variations)
    surface = Surface.around(event)

    def message(reco: RecoId) -> dict[str, Any]:
        centre = pixelation.pix2ang(*reco.pixel)
        task = PixelTask(
            arguments.reco_algo, reco, variations, centre.ra, centre.dec, surface, settings.pixel_seconds
        )
        return write_pixel(task, document["value"].get("version", ""))

    queue = BrokerQueue(
        read_profiles(settings.ewms_json), message, timeout=settings.reco_timeout, prefetch=settings.prefetch
    )
    within = algorithms.ALGORITHMS[arguments.reco_algo].first_round_within
    sinks: list[Sink] = []
    with ExitStack() as stack:
        wait: Callable[[], object] = bool  # there is no SkyDriver to ask
        if settings.address:
            sinks.append(SkyDriverSink(Client.patient(*skydriver), Client.urgent(*skydriver)))
            poller = Client.patient(*skydriver)  # its own: it runs in another thread
            stack.enter_context(
                KillSwitch(poller, settings.kill_switch_interval, interrupt_self, stopped_since_v4)
            )
            wait = partial(
                wait_for_workers, Client.patient(*skydriver).get_workforce, settings.workforce_interval
            )
        if arguments.output_dir is not None:
            sinks.append(files.FileSink(arguments.output_dir, event))
        body = partial(progress_body, first_round=pointed_pixels(arguments.progression[0].nside, within))
        reporter = Reporter(
            facts,
            ledger,
            sinks,
            settings.progress_interval,
            settings.result_interval,
            progress_body=body,
        )
        Scan(
            facts,
            ledger,
            queue,
            reporter,
            first_round_within=within,
            reco_timeout=settings.reco_timeout,
            wait_for_workers=wait,
        ).run()


def startup(event: Event) -> dict[str, Any]:
    """What clients must know: the real scanner's two members, the last frame's stop in lower case."""
    *context, (_, last) = event.frames
    return {
        # A name as the real one's, of a file that no stand-in reads; without one each client crashes.
        "baseline_GCD_file": f"/opt/i3-data/baseline_gcds/baseline_gcd_{event.run_id}.i3",
        "GCDQp_packet": {"frames": [*context, ["p", last]]},
    }


def wait_for_workers(
    ask: Callable[[], Any], interval: float, pause: Callable[[float], object] = time.sleep
) -> None:
    """Ask how many workers run, at once and each ``interval`` seconds, until there is one.

    Raises:
        CallError: SkyDriver does not answer, or not with a workforce.
    """
    while True:
        workforce = ask()
        if not isinstance(workforce, dict) or "n_running" not in workforce:
            raise CallError(f"SkyDriver's answer is no workforce: {workforce!r}")
        if workforce["n_running"]:
            logger.info("%s workers run", workforce["n_running"])
            return
        logger.info("No worker runs yet")
        pause(interval)


if __name__ == "__main__":
    sys.exit(main())
