"""`GET /scan/{scan_id}/gcn-notice`: the draft of a GCN notice."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import ProductArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/gcn-notice", roles=(Role.USER,), arguments=ProductArguments, answer="GcnNotice"
)
async def get_gcn_notice(request: RequestContext[ProductArguments]) -> Response:
    """Draft a GCN notice of a final result, and list what only people know; it is sent nowhere."""
    return await product_response(request, Product.NOTICE)
