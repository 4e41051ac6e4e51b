"""The OpenAPI 3.1 document of the REST interface, made of what the route functions say of themselves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from skydriver.eventing.events import event_type
from skydriver.model.transitions import Fact
from skydriver.rest.arguments import IDEMPOTENCY_KEY, MAX_KEY, LedArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import EndpointInfo
from skydriver.rest.openapi import schemas as answers
from skydriver.rest.openapi.operations import OPERATIONS, SCAN_ID, TAGS

DESCRIPTION = """\
SkyDriver takes a neutrino event, runs the Skymap Scanner on it, and keeps request, progress and result.

GET takes its arguments from the query; the other methods take theirs from a JSON object in the body, or from
the query, too. HEAD is answered where GET is. Whatever is wrong with arguments is said all at once, each by
its name. Every error is `{code, error}`."""
TITLE = "SkyDriver"

_ERRORS = {
    400: (
        "Arguments are missing, unknown or wrong, or the scan's state does not allow it",
        "argument cluster: is required",
    ),
    403: (
        "The token is missing or not valid, or the role is not sufficient",
        "authorization failed: this needs the role user",
    ),
    404: (
        "There is no such scan or subscription, or it was deleted or has expired",
        f"there is no scan '{SCAN_ID}'",
    ),
    405: ("The path is served by other methods only", "PUT is not served at /scans/find, but POST"),
    408: ("The body did not come in time", "the request did not come in time"),
    409: (
        "The Idempotency-Key was used for another request, or the scan does not take the report",
        "this Idempotency-Key was used for another request within the last 24 hours",
    ),
    413: ("The body is too large", "the body must have 1048576 bytes at most"),
    415: (
        "The body is compressed, or no text of Unicode",
        "the body must not be compressed, but its Content-Encoding is 'gzip'",
    ),
    422: (
        "The scan's result is of no use for this",
        "There is no notice of a partial result: it is made of a final one only.",
    ),
    429: (
        "The limit of waiting scans or requests, or of e-mails that ask for consent, is reached; try again "
        "later",
        "the backlog is full: 10000 scans are waiting",
    ),
    500: ("A fault of the service", "a fault of the service; it has been logged"),
    501: (
        "What makes skymaps is not installed here",
        "skymaps are not installed here (there is no package numpy)",
    ),
    502: ("The function does not answer; try again", "the function does not answer: ConnectError"),
    503: ("A part does not answer; try again", "the database does not answer; try again"),
}
_ROLES = {
    Role.USER: "a user: an IceCube group in the claim `groups`",
    Role.SYSTEM: "a part of the system: the claim `skydriver_role`",
    Role.SCANNER: "the scanner server of this scan, by the token that it was launched with",
}


def document(routes: Iterable[EndpointInfo]) -> dict[str, Any]:
    """Make the document, without what `installed_document` says of an installation.

    Args:
        routes: of all functions.
    """
    listed = sorted(routes, key=lambda route: (route.path, route.method))
    schemas, components = _schemas(listed)
    paths: dict[str, Any] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "0", "description": DESCRIPTION},
        "servers": [],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(code): _error(code) for code in _ERRORS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


_LIMITED = {
    *(("POST", "/scan"), ("POST", "/scan/{scan_id}/actions/rescan")),
    *(("POST", "/subscriptions"), ("PATCH", "/subscriptions/{subscription_id}")),
    ("POST", "/subscriptions/{subscription_id}/test"),
}
"""Routes that answer 429 above a limit."""

Schemas = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]


def _schemas(routes: Sequence[EndpointInfo]) -> tuple[Schemas, dict[str, Any]]:
    """Make the schemas of all models at once, so that what they share is shared."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(answers.Error, "serialization")]
    models += [(route.arguments, "validation") for route in routes]
    models += [(_model(route.answer), "serialization") for route in routes if route.answer is not None]
    found, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template="#/components/schemas/{model}"
    )
    components: dict[str, Any] = definitions.get("$defs", {})
    return found, components


def _model(answer: str) -> type[BaseModel]:
    model: type[BaseModel] = getattr(answers, answer)
    return model


def _operation(route: EndpointInfo, schemas: Schemas) -> dict[str, Any]:
    said = OPERATIONS[route.name]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [said.tag],
        "summary": said.summary,
        "description": f"{route.description.strip()}\n\n{_who(route)}",
        "parameters": [*_path_parameters(route), *_headers(route)],
        "responses": {**_answers(route, schemas), **_error_references(route)},
        "security": [{"token": [role.value for role in route.roles]}] if route.roles else [],
    }
    if route.method == "GET":
        operation["parameters"] += _query_parameters(route)
    elif route.takes_event:
        [(kind, body)] = _EVENT["content"].items()
        operation["requestBody"] = {**_EVENT, "content": {kind: {**body, "example": said.request}}}
    elif route.arguments.model_fields:
        schema = schemas[route.arguments, "validation"]
        needed = any(field.is_required() for field in route.arguments.model_fields.values())
        body = {"schema": schema, "example": said.request}
        operation["requestBody"] = {"required": needed, "content": {"application/json": body}}
    return operation


def _who(route: EndpointInfo) -> str:
    if not route.roles:
        return "For anybody."
    return "For " + ", or ".join(_ROLES[role] for role in route.roles) + "."


def _path_parameters(route: EndpointInfo) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_]+$", "examples": [SCAN_ID]},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _headers(route: EndpointInfo) -> list[dict[str, Any]]:
    if not _takes_key(route):
        return []
    return [
        {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "description": "the same key within 24 hours, with the same arguments, is the same scan, or the "
            "same subscription",
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
        }
    ]


def _is_skymap(route: EndpointInfo) -> bool:
    """Whether it makes a product of a result: by what products take."""
    return "floor" in route.arguments.model_fields


def _takes_key(route: EndpointInfo) -> bool:
    return (route.method, route.path) in (("POST", "/scan"), ("POST", "/subscriptions"))


def _query_parameters(route: EndpointInfo) -> list[dict[str, Any]]:
    schema = route.arguments.model_json_schema(mode="validation")
    return [
        {
            "name": name,
            "in": "query",
            **({"description": value["description"]} if "description" in value else {}),
            "schema": _without_null(value),
        }
        for name, value in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Take null out of a schema: a query cannot say it."""
    kept = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
    if "anyOf" in kept:
        kept["anyOf"] = [branch for branch in kept["anyOf"] if branch != {"type": "null"}]
    return kept


def _answers(route: EndpointInfo, schemas: Schemas) -> dict[str, Any]:
    if route.takes_event:
        return {"204": {"description": "taken"}}
    if route.redirects:
        return {
            "303": {"description": "where it is", "headers": {"Location": {"schema": {"type": "string"}}}}
        }
    if route.answer is None:
        kinds = route.files or ("*/*",)
        return {"200": {"description": "a page or a file", "content": {kind: {} for kind in kinds}}}
    model = _model(route.answer)
    schema = schemas[model, "serialization"]
    description = (model.__doc__ or "").splitlines()[0]
    example = OPERATIONS[route.name].answer
    content = {
        "application/json": {"schema": schema, "example": example},
        **{kind: {} for kind in route.files},
    }
    answers: dict[str, Any] = {"200": {"description": description, "content": content}}
    if issubclass(route.arguments, LedArguments):
        answers["302"] = _LED
    if route.page is not None:
        answers["303"] = {
            "description": "The page of people, where HTML is asked for by name",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
    return answers


def _error_references(route: EndpointInfo) -> dict[str, Any]:
    codes = [400, 405, 500, 502, 503]
    if route.roles:
        codes.append(403)
    if "{" in route.path or route.redirects:
        codes.append(404)
    if _is_skymap(route):
        codes += [422, 429, 501]
    if _takes_key(route) or (Role.SCANNER in route.roles and route.method != "GET"):
        codes.append(409)
    if route.method != "GET":
        codes += [408, 413, 415]
    if (route.method, route.path) in _LIMITED:
        codes.append(429)
    return {str(code): {"$ref": f"#/components/responses/{code}"} for code in sorted(codes)}


def _error(code: int) -> dict[str, Any]:
    description, sentence = _ERRORS[code]
    content = {
        "schema": {"$ref": "#/components/schemas/Error"},
        "example": {"code": code, "error": sentence},
    }
    return {"description": description, "content": {"application/json": content}}


_LED = {
    "description": "Another scan has replaced this one: the same route of that scan",
    "headers": {"Location": {"schema": {"type": "string"}}},
}
_EVENT: dict[str, Any] = {
    "required": True,
    "description": "a CloudEvent 1.0, in structured mode as described here, or in binary mode",
    "content": {
        "application/cloudevents+json": {
            "schema": {
                "type": "object",
                "required": ["specversion", "id", "source", "type"],
                "properties": {
                    "specversion": {"const": "1.0"},
                    "id": {"type": "string", "minLength": 1},
                    "source": {"type": "string", "minLength": 1},
                    "type": {
                        "enum": [
                            event_type(fact)
                            for fact in (Fact.READY, Fact.PROGRESS_REPORTED, Fact.RESULT_REPORTED)
                        ]
                    },
                    "subject": {"type": "string"},
                    "data": {
                        "type": "object",
                        "description": "of progress and results: as in `PATCH manifest` and `PUT result`",
                    },
                },
            }
        }
    },
}
