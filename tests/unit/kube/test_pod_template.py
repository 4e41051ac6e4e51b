"""What pods of scanner servers and of workers have in common."""

from skydriver.kube import pod_template


def test_variables_are_never_put_into_a_value() -> None:
    (variable,) = pod_template.plain({"TEXT": "$(HOME) costs $5, $$"})
    # Kubernetes reads `$$` as `$`, and takes only `$(NAME)` for a reference.
    assert variable == {"name": "TEXT", "value": "$$(HOME) costs $$5, $$$$"}


def test_a_secrets_content_is_named_not_copied() -> None:
    (variable,) = pod_template.from_secret("skyscan-5d2e", ["TOKEN"])
    assert variable == {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "skyscan-5d2e", "key": "TOKEN"}},
    }


def test_a_secret_goes_with_its_job() -> None:
    job = {"metadata": {"name": "skyscan-5d2e", "uid": "u", "labels": {}}}
    secret = pod_template.opaque_secret("skyscan-5d2e", {"TOKEN": "t"}, labels={"k": "v"}, job=job)
    assert secret["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "skyscan-5d2e", "uid": "u"}
    ]
    assert secret["immutable"] is True
    assert secret["stringData"] == {"TOKEN": "t"}
    assert secret["metadata"]["labels"] == {"k": "v"}


def test_pods_have_no_privileges() -> None:
    assert pod_template.pod_security(1000)["runAsNonRoot"] is True
    assert pod_template.CONTAINER_SECURITY["allowPrivilegeEscalation"] is False
    assert pod_template.CONTAINER_SECURITY["capabilities"] == {"drop": ["ALL"]}
