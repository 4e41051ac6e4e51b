"""`GET /scan/{scan_id}/skymap.png`: a picture of a scan's skymap."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import PictureArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/skymap.png", roles=(Role.USER,), arguments=PictureArguments, files=("image/png",)
)
async def get_skymap_png(request: RequestContext[PictureArguments]) -> Response:
    """Draw the full sky, or the surroundings of the best fit: PNG."""
    return await product_response(request, Product.PNG, second=request.arguments.with_)
