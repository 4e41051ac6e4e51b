"""A stand-in for the IceCube Skymap Scanner: one server process and any number of worker processes.

The real scanner needs icetray, which cannot be installed outside IceCube. The stand-in takes the
same command line, reads the same realtime event JSON, writes the same kind of ``startup.json``,
sends SkyDriver the same reports in the same order and refines the map by the same rule. What it
makes up is the physics: its likelihood is a smooth surface around the event's online direction.
It says so in its help, its log and the summary of each of its reports.

    python -m skydriver.standin.server --help
    python -m skydriver.standin.client --help

These are of the era before v4; `skydriver.standin.v4` has the programs since.

Nothing here imports another part of SkyDriver: like the real scanner it knows the service only
over REST. The worker imports the standard library alone, so that it starts in some 50 ms.
"""
