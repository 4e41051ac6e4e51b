"""Submits to a pool, in a process of its own: `{clusters: [[description, count]], spool}`, at a place."""

import json
import os
import sys
from typing import Any


def main() -> None:
    """Submit the clusters that standard input describes, and print their numbers.

    With `spool` the submission is left half done: nothing is ever spooled.
    """
    import htcondor2

    task: dict[str, Any] = json.load(sys.stdin)
    place = htcondor2.Collector(task["collector"]).locate(htcondor2.DaemonType.Schedd, task["schedd"])
    schedd = htcondor2.Schedd(place)
    results = [
        schedd.submit(htcondor2.Submit(description), count=count, spool=task["spool"])
        for description, count in task["clusters"]
    ]
    print(json.dumps([result.cluster() for result in results]), flush=True)
    # The bindings (25.x) lose references to None with each submission, and crash at the end after thousands.
    os._exit(0)


if __name__ == "__main__":
    main()
