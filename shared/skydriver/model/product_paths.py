"""Where products of a scan's result are: paths of the REST interface, relative to the service's address."""

from urllib.parse import urlencode

RESULT = "result"


def product_path(scan_id: str, product: str, *, include_deleted: bool = False, **options: str) -> str:
    """Say where a product of a scan is, so that a reader gets this scan's and no other.

    A result leads to the scan that has replaced this one unless it is told not to; no other product does.

    Args:
        scan_id: the scan.
        product: the last part of the path, such as `skymap.png`.
        include_deleted: whether it must be found though the scan is hidden (deleted).
        options: further arguments of the route.
    """
    query = dict(options)
    if include_deleted:
        query["include_deleted"] = "true"
    if product == RESULT:
        query["no_redirect"] = "true"
    path = f"/scan/{scan_id}/{product}"
    return f"{path}?{urlencode(query)}" if query else path
