"""Build kustomize from its Go module. For another version: `go get` it in `module/`, change VERSION."""

from pathlib import Path

from tests.components.gomodule import build_programs

VERSION = "5.8.1"
_MODULE = Path(__file__).parent / "module"


def build(folder: Path) -> None:
    """Build the program into a folder: about two minutes on two cores.

    Raises:
        Unbuildable: there is no (new enough) Go here.
    """
    build_programs(folder, module=_MODULE, programs=["sigs.k8s.io/kustomize/kustomize/v5"])
