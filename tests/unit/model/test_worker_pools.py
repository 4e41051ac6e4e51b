from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skydriver.model.worker_pools import ClustersFile, cluster_entry, cluster_uuid, location_key

GOOD = """
clusters:
  local: {orchestrator: local, location: {host: localhost, namespace: local}, max_workers: 16}
  sub-2:
    orchestrator: condor
    location: {collector: C, schedd: S}
    secret: condor-token-sub-2
    max_debug_workers: 10
    image: container
    requirements: "has_avx2"
  gke: {orchestrator: k8s, location: {host: "https://192.0.2.1:443", namespace: scans}, secret: gke-token}
"""


def read(text: str) -> ClustersFile:
    return ClustersFile.model_validate(yaml.safe_load(text))


def test_a_file_of_all_three_kinds() -> None:
    clusters = read(GOOD).clusters
    assert {name: known.orchestrator for name, known in clusters.items()} == {
        "local": "local",
        "sub-2": "condor",
        "gke": "k8s",
    }
    assert (clusters["local"].max_workers, clusters["local"].max_debug_workers) == (16, None)
    assert (clusters["sub-2"].max_workers, clusters["sub-2"].max_debug_workers) == (None, 10)
    assert clusters["gke"].secret == "gke-token"


def test_condor_clusters_use_cvmfs_unless_told_otherwise() -> None:
    known = read("clusters: {a: {orchestrator: condor, location: {collector: C, schedd: S}}}").clusters["a"]
    assert known.orchestrator == "condor"
    assert known.image == "cvmfs"
    assert known.requirements is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ""),
        ("cluster: {}", "clusters"),
        ("clusters: [a]", "clusters"),
        ("clusters: {a: }", "clusters.a"),
        ("clusters: {a: {location: {host: h, namespace: n}}}", "clusters.a"),
        ("clusters: {a: {orchestrator: slurm, location: {host: h, namespace: n}}}", "clusters.a"),
        ("clusters: {a: {orchestrator: local}}", "clusters.a.local.location"),
        (
            "clusters: {a: {orchestrator: condor, location: {host: h, namespace: n}}}",
            "clusters.a.condor.location",
        ),
        (
            "clusters: {a: {orchestrator: k8s, location: {collector: C, schedd: S}}}",
            "clusters.a.k8s.location",
        ),
        ("clusters: {a: {orchestrator: k8s, location: {host: h}}}", "clusters.a.k8s.location.namespace"),
        *(
            (
                f"clusters: {{a: {{orchestrator: local, location: {{host: h, namespace: n}}, {extra}}}}}",
                f"clusters.a.local.{extra.partition(':')[0]}",
            )
            for extra in (
                "max_workers: 0",
                "max_workers: many",
                "max_debug_workers: -1",
                "token: x",
                "image: cvmfs",
            )
        ),
        (
            "clusters: {a: {orchestrator: condor, location: {collector: C, schedd: S}, image: docker}}",
            "clusters.a.condor.image",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(text)
    places = [".".join(map(str, error["loc"])) for error in caught.value.errors()]
    assert any(place.startswith(where) for place in places), places


@pytest.mark.parametrize(
    ("orchestrator", "location", "key"),
    [
        ("condor", {"schedd": "S", "collector": "C"}, "condor/C/S"),
        ("condor", {"collector": "C", "schedd": "S"}, "condor/C/S"),
        ("k8s", {"host": "local", "namespace": "scans"}, "k8s/local/scans"),
    ],
)
def test_a_location_in_one_word(orchestrator: str, location: dict[str, str], key: str) -> None:
    assert location_key(orchestrator, location) == key


@given(
    st.tuples(st.uuids(), st.integers(1, 9), st.integers(0, 9)),
    st.tuples(st.uuids(), st.integers(1, 9), st.integers(0, 9)),
)
def test_a_clusters_uuid_is_the_same_each_time_and_its_own(
    one: tuple[Any, int, int], other: tuple[Any, int, int]
) -> None:
    (scan, *place), (other_scan, *other_place) = one, other
    uuid = cluster_uuid(scan.hex, *place)
    assert uuid == cluster_uuid(scan.hex, *place)
    assert len(uuid) == 32 and set(uuid) <= set("0123456789abcdef")
    assert (uuid == cluster_uuid(other_scan.hex, *other_place)) == (one == other)


def test_a_clusters_uuid_does_not_change_with_the_version() -> None:
    # Clusters of scans that run while the service is replaced are looked up by it.
    assert cluster_uuid("5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90", 1, 0) == "4915fbe2716b5205b9c1aa57e9c14e1e"


def test_the_entry_of_a_cluster_that_was_asked_for() -> None:
    known = read(GOOD).clusters["sub-2"]
    entry = cluster_entry(name="sub-2", known=known, n_workers=1234, uuid="u", attempt=2)
    assert entry["location"] == {"collector": "C", "schedd": "S"}
    assert entry["at"] == "condor/C/S"
    assert (entry["name"], entry["n_workers"], entry["attempt"]) == ("sub-2", 1234, 2)
    assert (entry["cluster_id"], entry["state"]) == (None, "requested")
