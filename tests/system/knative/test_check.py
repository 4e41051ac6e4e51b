"""`python -m skydriver.check` where every part is the real one, except for a machine's own S3."""

from collections.abc import Callable
from pathlib import Path

from tests.components import need
from tests.components.knative.eventing import Eventing
from tests.support.checking import check
from tests.support.servers import WORKER, shared_server
from tests.system.knative.conftest import NAMESPACE

with need("keycloak"):
    from tests.components.keycloak.server import DASHBOARD, SECRET, shared_realm


async def test_all_is_well_and_a_broker_that_is_not_there_is_missed(
    knative: Eventing, sink: str, configure: Callable[..., None], mongodb_uri: str, tmp_path: Path
) -> None:
    with need("s3"):
        import moto.server  # noqa: F401
    (tmp_path / "condor-token-sub-2").mkdir()
    (tmp_path / "condor-token-sub-2" / "token").write_text("a token of no pool\n")
    keycloak = shared_realm(f"IceCube-check-{WORKER}")
    configure(
        MONGODB_URI=mongodb_uri,
        S3_ENDPOINT_URL=shared_server("s3"),
        K_SINK=sink,
        SKYDRIVER_NO_AUTH="false",
        AUTH_OPENID_URL=keycloak.url(),
        DASHBOARD_CLIENT_ID=DASHBOARD,
        DASHBOARD_CLIENT_SECRET=SECRET,
        SCANNER_BACKEND="kubernetes",
        KUBECONFIG=str(knative.plane.kubeconfig),
        K8S_NAMESPACE=NAMESPACE,
        CLUSTER_SECRETS=str(tmp_path),
    )
    code, lines = await check("skydriver.check")
    assert code == 0, lines
    assert "ok Keycloak: the realm answers" in lines
    assert "ok Broker: the Broker takes events" in lines
    assert f"ok Kubernetes: answers; 0 scanner servers in namespace '{NAMESPACE}'" in lines

    configure(K_SINK=f"{sink}-of-another-name")
    code, lines = await check("skydriver.check")
    assert code == 1
    (missed,) = [line for line in lines if line.startswith("FAIL")]
    assert missed.startswith("FAIL Broker: K_SINK leads to no Broker that takes events")
    assert missed.endswith("answered 404")
