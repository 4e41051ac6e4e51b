"""`GET /scan/{scan_id}/moc`: the cells of a region."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.skymaps.arguments import MocArguments
from skydriver.rest.skymaps.response import product_response
from skydriver.skymap.options import Product


@endpoint(
    "GET /scan/{scan_id}/moc",
    roles=(Role.USER,),
    arguments=MocArguments,
    answer="Moc",
    files=("application/fits",),
)
async def get_moc(request: RequestContext[MocArguments]) -> Response:
    """Answer a region as a multi-order coverage map (MOC), JSON or FITS."""
    return await product_response(request, Product.MOC)
