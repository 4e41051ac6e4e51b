"""The pilot's parts that need no broker."""

import ast
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skydriver.workers import pilot
from tests.components import missing

SOURCE = Path(pilot.__file__)
NEEDED = {
    "SKYSCAN_BROKER_ADDRESS": "mq.example",
    "EWMS_PILOT_QUEUE_INCOMING": "to",
    "EWMS_PILOT_QUEUE_OUTGOING": "from",
}


def test_it_is_one_file_that_an_image_can_run() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 10))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {
        (node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert imported - sys.stdlib_module_names == {"pika", "zstd"}
    assert not imported & {"pickle", "shelve", "marshal"}


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_each_python_of_an_image_can_run_it(version: str) -> None:
    ours = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for python in filter(None, (shutil.which(f"python{version}"), *map(str, ours))):
        # A shim of a version that is not there ends with 127.
        if subprocess.run([python, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            break
    else:
        missing("pythons", f"there is no Python {version} here")
    done = subprocess.run(
        [python, "-W", "error", SOURCE, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "EWMS_PILOT_QUEUE_INCOMING" in done.stdout


def test_defaults() -> None:
    settings = pilot.read_settings(NEEDED)
    assert (settings.first_wait, settings.later_wait, settings.time_limit) == (3600, 1800, 1800)
    assert (settings.quarantine, settings.dump, settings.log_level) == (0, False, "INFO")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        *(({name: ""}, name) for name in NEEDED),
        ({"EWMS_PILOT_TASK_TIMEOUT": "never"}, "EWMS_PILOT_TASK_TIMEOUT"),
        ({"EWMS_PILOT_QUARANTINE_TIME": "-1"}, "EWMS_PILOT_QUARANTINE_TIME"),
        ({"SKYSCAN_EWMS_PILOT_LOG": "loud"}, "SKYSCAN_EWMS_PILOT_LOG"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused_by_name(changes: dict[str, str], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        pilot.read_settings({**NEEDED, **changes})


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("amqp://mq", "without a scheme"), ("", "no host"), ("user@mq", "no password")],
)
def test_addresses(address: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        pilot.connection_parameters(address, "")


def test_a_wrong_environment_is_an_error_of_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "startup.json").touch()
    for name in NEEDED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as caught:
        pilot.main(["--client-startup-json", str(tmp_path / "startup.json")])
    assert caught.value.code == 2
    assert "SKYSCAN_BROKER_ADDRESS is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shells", "expected"),
    [
        ([], None),
        (["usr/local/icetray/env-shell.sh"], ["/bin/bash", "{root}/usr/local/icetray/env-shell.sh"]),
        (["opt/icetray/bin/icetray-shell"], ["/bin/bash", "{root}/opt/icetray/bin/icetray-shell", "exec"]),
    ],
)
def test_icetray_is_set_up_wherever_an_image_has_it(
    shells: list[str], expected: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shell in shells:
        (tmp_path / shell).parent.mkdir(parents=True)
        (tmp_path / shell).touch()
    command = expected and [word.format(root=tmp_path) for word in expected]
    assert pilot.icetray_command(tmp_path, {}) == command
    # Once is enough, whether we did it or the image's entry point.
    assert pilot.icetray_command(tmp_path, {pilot.IN_SHELL: "1"}) is None
    (tmp_path / "icecube").mkdir()
    (tmp_path / "icecube" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert pilot.icetray_command(tmp_path, {}) is None


class Proxy:
    """Takes commands as HTCondor's chirp proxy does; made up, as a real one belongs to a real job."""

    def __init__(self, folder: Path) -> None:
        self.attributes: dict[str, str] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        (folder / ".chirp.config").write_text(f"127.0.0.1 {self._listener.getsockname()[1]} a-cookie\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", newline="\n") as lines:
                assert lines.readline() == "cookie a-cookie\n"
                lines.write("0\n")
                lines.flush()
                for line in lines:
                    command, name, value = line.rstrip("\n").split(" ", 2)
                    assert command == "set_job_attr"
                    self.attributes[name.removeprefix("HTChirpEWMSPilot")] = value
                    lines.write("0\n")
                    lines.flush()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made_up = Proxy(tmp_path)
    yield made_up
    made_up.close()


def test_htcondor_hears_how_a_worker_is_doing(proxy: Proxy, tmp_path: Path) -> None:
    chirp = pilot.Chirp({"EWMS_PILOT_HTCHIRP": "True", "_CONDOR_SCRATCH_DIR": str(tmp_path)})
    chirp.status("Started", StartedTimestamp=12)
    assert proxy.attributes.items() >= {("Status", '"Started"'), ("StartedTimestamp", "12")}
    chirp.count(success=True)
    chirp.count(success=False)
    chirp.end(pilot.Failure('it broke at "C:\\x"'))
    assert proxy.attributes["Status"] == '"FatalError"'
    assert proxy.attributes["Error"] == r'"it\ broke\ at\ \\"C:/x\\""'
    counts = {name: proxy.attributes[f"Tasks{name}"] for name in ("Total", "Failed", "Success")}
    assert counts == {"Total": "2", "Failed": "1", "Success": "1"}
    chirp.end()
    assert proxy.attributes["Status"] == '"Done"'


@pytest.mark.parametrize("environment", [{}, {"EWMS_PILOT_HTCHIRP": "True"}])
def test_without_a_configuration_it_is_silent(
    environment: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pilot.Chirp({**environment, "_CONDOR_SCRATCH_DIR": str(tmp_path)}).end()
    pilot.Chirp(environment).end()
    assert not caplog.records
