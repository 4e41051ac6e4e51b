"""`GET /scan/{scan_id}/skymap.pdf`: a picture of a scan's skymap."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import PictureArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/skymap.pdf",
    roles=(Role.USER,),
    arguments=PictureArguments,
    files=("application/pdf",),
)
async def get_skymap_pdf(request: RequestContext[PictureArguments]) -> Response:
    """Draw the full sky, or the surroundings of the best fit: PDF."""
    return await product_response(request, Product.PDF, second=request.arguments.with_)
