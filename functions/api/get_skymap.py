"""`GET /scan/{scan_id}/skymap`: the numbers of a scan's skymap."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import ProductArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/skymap", roles=(Role.USER,), arguments=ProductArguments, answer="SkymapSummary"
)
async def get_skymap(request: RequestContext[ProductArguments]) -> Response:
    """Answer best fit, regions and what to keep in mind, with links to the files and pictures."""
    return await product_response(request, Product.SUMMARY)
