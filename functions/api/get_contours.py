"""`GET /scan/{scan_id}/contours`: the lines around a scan's regions."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import RegionsArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint("GET /scan/{scan_id}/contours", roles=(Role.USER,), arguments=RegionsArguments, answer="Contours")
async def get_contours(request: RequestContext[RegionsArguments]) -> Response:
    """Answer the lines around all regions of a definition, in degrees, with their numbers."""
    return await product_response(request, Product.CONTOURS)
