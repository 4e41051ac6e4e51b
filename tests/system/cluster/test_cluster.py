"""What only a real node, real webhooks and a real Knative Serving show."""

from typing import Any

import pytest

from skydriver.model.reasons import ReasonCode
from tests.cluster.box import FUNCTIONS, LOOKS, OVERLAY, Box
from tests.cluster.images import MAX_BYTES, images
from tests.cluster.rehearsal import blocks
from tests.components.keycloak.server import OUTSIDER
from tests.conftest import ROOT
from tests.system.cluster.conftest import UNPULLABLE, Cluster

pytestmark = pytest.mark.serial


def always_there(box: Box) -> set[str]:
    """Name the functions that are never at zero."""
    return {
        one["metadata"]["name"]
        for one in box.objects("ksvc")
        if _annotations(one).get("autoscaling.knative.dev/min-scale", "0") != "0"
    }


def _annotations(service: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = service["spec"]["template"]["metadata"]["annotations"]
    return found


def at_work(box: Box) -> set[str]:
    """Name the functions that have Pods."""
    return {one["metadata"]["labels"][FUNCTIONS] for one in box.pods(FUNCTIONS)}


EACH_MINUTE = {"sweep", "observe-workers"}
"""What the PingSource calls, and what that asks for: rarely at zero on a busy machine."""


def is_at_rest(box: Box) -> bool:
    return at_work(box) <= always_there(box) | EACH_MINUTE


def test_every_function_is_deployed_once(cluster: Cluster) -> None:
    """The order of docs/operate.md: no function was there before the SinkBinding."""
    revisions: dict[str, int] = {}
    for one in cluster.box.objects("revisions"):
        name = one["metadata"]["labels"][FUNCTIONS]
        revisions[name] = revisions.get(name, 0) + 1
    assert {name for name, number in revisions.items() if number > 1} <= {"record-failure"}


def test_a_scan_from_nothing_to_a_skymap_and_back(cluster: Cluster) -> None:
    box = cluster.box
    box.until(lambda: is_at_rest(box), "all functions are at rest", deadline=600.0)
    scan_id = cluster.submit()
    status = cluster.ended(scan_id)
    assert status["outcome"] == "finished", status
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert status["attempt"] == 1
    result = cluster.call("GET", f"/scan/{scan_id}/result")
    assert result["is_final"] is True
    assert set(result["skyscan_result"]) == {"nside-1", "nside-2"}
    box.until(lambda: not box.pods("app.kubernetes.io/managed-by=skydriver"), "its Pods are gone")
    box.until(lambda: is_at_rest(box), "all functions are at rest", deadline=600.0)


def test_functions_may_do_what_they_need_and_no_more(cluster: Cluster) -> None:
    def may(function: str, verb: str, kind: str) -> bool:
        command = ("auth", "can-i", verb, kind, f"--as=system:serviceaccount:skydriver:{function}")
        try:
            return cluster.box.kubectl(*command).strip() == "yes"
        except RuntimeError:  # it exits with 1 for "no"
            return False

    assert may("launch-scanner", "create", "jobs")
    assert not may("launch-scanner", "list", "jobs")
    assert not may("launch-scanner", "get", "secrets")
    assert may("sweep", "list", "jobs")
    assert not may("sweep", "create", "jobs")
    for function in ("gateway", "create-scan", "scanner"):
        assert not may(function, "list", "pods")


LOOK = """
import json, os, pathlib
def can_write(path):
    try:
        pathlib.Path(path, "x").write_text("")
    except OSError as error:
        return error.strerror
    return "yes"
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
print(json.dumps({
    "uid": os.getuid(),
    "root": can_write("/"), "home": can_write("/opt/skydriver"), "tmp": can_write("/tmp"),
    "capabilities": int(status["CapEff"], 16), "privileges": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "account": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "sink": os.environ.get("K_SINK", ""),
    "secrets": sorted({"MONGODB_URI", "AWS_SECRET_ACCESS_KEY", "SCANNER_TOKEN_KEY"} & set(os.environ)),
}))
"""


@pytest.mark.parametrize(
    ("function", "scratch", "has_account", "secrets"),
    [
        # It only passes bodies on.
        ("gateway", "Read-only file system", False, []),
        ("put-result", "yes", False, ["MONGODB_URI", "SCANNER_TOKEN_KEY"]),
        ("launch-scanner", "yes", True, ["AWS_SECRET_ACCESS_KEY", "MONGODB_URI", "SCANNER_TOKEN_KEY"]),
    ],
)
def test_what_a_function_finds_in_its_container(
    cluster: Cluster, function: str, scratch: str, has_account: bool, secrets: list[str]
) -> None:
    found = cluster.box.run_python(function, LOOK)
    assert found["uid"] == 1000
    assert (found["root"], found["tmp"]) == ("Read-only file system", scratch)
    assert found["home"] != "yes"
    assert (found["capabilities"], found["privileges"], found["seccomp"]) == (0, "1", "2")
    assert found["account"] is has_account
    assert found["sink"].endswith("/skydriver/skydriver"), "the SinkBinding's webhook sets it"
    assert found["secrets"] == secrets


def test_the_check_finds_nothing_wrong_from_within(cluster: Cluster) -> None:
    box = cluster.box
    (pod, *_) = box.pods(f"{FUNCTIONS}=launch-scanner")
    name = pod["metadata"]["name"]
    said = box.kubectl("exec", name, "-c", "user-container", "--", "python", "-m", "skydriver.check")
    assert "FAIL" not in said
    checked = {line.split()[1].rstrip(":") for line in said.splitlines()}
    assert checked >= {"settings", "MongoDB", "S3", "Keycloak", "Broker", "Kubernetes"}


def test_users_are_those_that_keycloak_knows(cluster: Cluster) -> None:
    assert cluster.box.request("GET", "/scans/backlog").status_code in (401, 403)
    assert cluster.box.request("GET", "/scans/backlog", cluster.token(OUTSIDER)).status_code == 403
    assert cluster.box.request("GET", "/scans/backlog", cluster.token()).status_code == 200


@pytest.fixture(scope="module")
def hopeless(cluster: Cluster) -> dict[str, str]:
    """Scans that cannot work, at once since kubelet takes its time with each: their ids by what is wrong."""
    return {
        "memory": cluster.submit(scanner_server_memory="12M"),
        "image": cluster.submit(docker_tag=UNPULLABLE),
    }


def test_a_scanner_out_of_memory_is_launched_again(cluster: Cluster, hopeless: dict[str, str]) -> None:
    scan_id = hopeless["memory"]
    status = cluster.until(scan_id, lambda status: status["attempt"] > 1, sweeping=True)
    history = cluster.call("GET", f"/scan/{scan_id}/history")["history"]
    # That it was the memory is not always said: containerd may hear of the end before it hears why.
    assert ReasonCode.SCANNER_DIED in [line.get("reason_code") for line in history], (status, history)
    cluster.call("DELETE", f"/scan/{scan_id}")
    assert cluster.ended(scan_id, sweeping=True)["outcome"] == "aborted"


def test_an_image_that_cannot_be_pulled(cluster: Cluster, hopeless: dict[str, str]) -> None:
    status = cluster.ended(hopeless["image"], sweeping=True)
    assert status["outcome"] == "failed"
    assert f"skymap_scanner:{UNPULLABLE}" in status["reason"]


def test_the_installation_is_as_the_page_says(cluster: Cluster) -> None:
    """docs/operate.md has installed the cluster; what it says in the end finds nothing wrong."""
    page = [block for block in blocks() if block.section == "Install" and block.kind == "sh"]
    looked = cluster.box.rehearse("Install", slice(-LOOKS, None))
    assert [*cluster.box.installed, *looked] == page
    assert "skydriver --url" in looked[0].text
    assert "skydriver.check" in looked[1].text


def test_the_images_are_no_larger_than_they_need_be(cluster: Cluster) -> None:
    (image,) = (one for one in images(OVERLAY, ROOT / "knative" / "Dockerfile") if one.name == "skydriver")
    assert cluster.box.builder.size(image.tag) <= MAX_BYTES
