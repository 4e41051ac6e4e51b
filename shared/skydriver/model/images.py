"""The names of the scanner's image: at Docker Hub, and as a folder on CVMFS."""

IMAGE = "icecube/skymap_scanner"
_CVMFS_PREFIX = f"{IMAGE.rpartition('/')[2]}:"


def cvmfs_name(tag: str) -> str:
    """Name the folder of a tag's image, among those that the setting CVMFS_IMAGES holds."""
    return f"{_CVMFS_PREFIX}{tag}"


def cvmfs_tag(name: str) -> str | None:
    """Read the tag off such a name; None if the folder holds something else."""
    return name.removeprefix(_CVMFS_PREFIX) if name.startswith(_CVMFS_PREFIX) else None
