"""Where worker clusters run: one module a backend, imported where it is used only."""

from functools import cache

from skydriver.workers.protocol import WorkerBackend


@cache
def backend(orchestrator: str) -> WorkerBackend:
    """Return the backend of an orchestrator.

    Raises:
        NotImplementedError: this installation has no backend for it.
    """
    match orchestrator:
        case "condor":
            from skydriver.workers.htcondor.backend import HTCondorWorkers

            return HTCondorWorkers()
        case "k8s":
            from skydriver.workers.kubernetes.backend import KubernetesWorkers

            return KubernetesWorkers()
        case "local":
            from skydriver.workers.local import LocalWorkers

            return LocalWorkers()
        case _:
            raise NotImplementedError(f"workers on '{orchestrator}' cannot be run by this installation")
