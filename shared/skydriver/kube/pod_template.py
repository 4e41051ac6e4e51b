"""What the pods of scanner servers and of workers have in common: pure builders."""

from collections.abc import Iterable, Mapping
from typing import Any

CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def pod_security(user: int) -> dict[str, Any]:
    """Let a pod run as a user without privileges, who owns the volumes that its containers share."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def plain(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Set variables to values, whatever dollar signs they hold."""
    return [{"name": name, "value": literal(value)} for name, value in environment.items()]


def from_secret(secret: str, names: Iterable[str]) -> list[dict[str, Any]]:
    """Set variables to what a Secret holds under their names."""
    return [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in names]


def literal(value: str) -> str:
    """Keep Kubernetes from putting the values of variables in place of `$(NAME)`."""
    return value.replace("$", "$$")


def opaque_secret(
    name: str, content: Mapping[str, str], *, labels: Mapping[str, str], job: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the Secret of a Job, which goes when the Job goes.

    Args:
        name: of the Secret.
        content: its keys and values.
        labels: of the Secret.
        job: as the API server has it.
    """
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(labels), "ownerReferences": [owner]},
        "type": "Opaque",
        "immutable": True,
        "stringData": dict(content),
    }
