"""Where scanner servers run: one module a backend, imported where it is used only."""

from functools import cache

from skydriver.scanner.protocol import ScannerBackend
from skydriver.settings import settings


@cache
def backend() -> ScannerBackend:
    """Return the backend that the settings name."""
    match settings().scanner_backend:
        case "kubernetes":
            from skydriver.scanner.kubernetes.backend import KubernetesScanners

            return KubernetesScanners()
        case "local":
            from skydriver.scanner.local import LocalScanners

            return LocalScanners()
