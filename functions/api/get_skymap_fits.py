"""`GET /scan/{scan_id}/skymap.fits`: a scan's skymap as a FITS file."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import FitsArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/skymap.fits",
    roles=(Role.USER,),
    arguments=FitsArguments,
    files=("application/gzip",),
)
async def get_skymap_fits(request: RequestContext[FitsArguments]) -> Response:
    """Answer a multi-order map, or with an nside a flat one: gzipped FITS."""
    return await product_response(request, Product.FITS)
