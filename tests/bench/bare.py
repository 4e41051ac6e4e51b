"""What functions are compared with: the least that does the same, `python -m tests.bench.bare`.

Starlette, Motor and the standard JSON, no authentication, no arguments, on the same server as functions.
"""

import asyncio
import json
import os
from functools import cache
from typing import Any

import uvicorn
from motor.motor_asyncio import AsyncIOMotorClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_clients: list[Any] = []


def _database() -> Any:
    if not _clients:
        _clients.append(AsyncIOMotorClient(os.environ["MONGODB_URI"]))
    return _clients[0][os.environ["MONGODB_DATABASE"]]


async def scan(request: Request) -> Response:
    """Answer a scan's document as JSON."""
    found = await _database().scans.find_one({"_id": request.path_params["scan_id"]})
    return JSONResponse(found)


async def result(request: Request) -> Response:
    """Answer the bytes of a result."""
    cursor = _database().results.find({"scan_id": request.path_params["scan_id"]}, {"json": 1}).sort("n", 1)
    return Response(b"".join([piece["json"] async for piece in cursor]), media_type="application/json")


async def report(request: Request) -> Response:
    """Store what a scan reports."""
    await _database().bare.update_one({"_id": request.path_params["scan_id"]}, {"$set": await request.json()})
    return JSONResponse({})


PIECE_BYTES = 8 * 2**20
"""Of a result: a document holds no more than 16 MB."""


async def upload(request: Request) -> Response:
    """Parse a result, and store its bytes."""
    content = await request.body()
    json.loads(content)
    starts = range(0, len(content), PIECE_BYTES)
    await _database().bare.insert_many([{"json": content[start : start + PIECE_BYTES]} for start in starts])
    return JSONResponse({})


@cache
def _s3() -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT_URL"], region_name="us-east-1")


async def product(request: Request) -> Response:
    """Read a scan, and answer bytes that S3 keeps."""
    await _database().scans.find_one({"_id": request.path_params["scan_id"]})
    key = request.query_params["key"]
    found = await asyncio.to_thread(_s3().get_object, Bucket="skydriver", Key=key)
    return Response(await asyncio.to_thread(found["Body"].read))


app = Starlette(
    routes=[
        Route("/upload", upload, methods=["PUT"]),
        Route("/product/{scan_id}", product),
        Route("/scan/{scan_id}", scan),
        Route("/scan/{scan_id}", report, methods=["PATCH"]),
        Route("/result/{scan_id}", result),
    ]
)

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False, ws="none"
    )
