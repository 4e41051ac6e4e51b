"""What the database is asked, for tests of how many round trips a request takes."""

from pymongo import monitoring


class Trips(monitoring.CommandListener):
    """Remembers what the database is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.asked.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...
