"""The files of the page that shows the interface to people: Swagger UI, from its Python package."""

import importlib.util
from functools import cache
from pathlib import Path

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>SkyDriver's REST interface</title>
<link rel="stylesheet" href="docs?file=swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<main id="page"></main>
<noscript>This page needs JavaScript; <a href="openapi.json">the document itself</a> does not.</noscript>
<script src="docs?file=swagger-ui-bundle.js"></script>
<script src="docs?file=page.js"></script>
</body>
</html>
"""
SCRIPT = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
TYPES = {".css": "text/css", ".js": "text/javascript"}
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
"""Everything that the page shows comes from us; Swagger UI sets styles in its elements."""


@cache
def read(name: str) -> bytes:
    """Read a file of the page.

    Raises:
        FileNotFoundError: Swagger UI is not installed.
    """
    if name == "page.js":
        return SCRIPT.encode()
    # Found without being imported: its package would load web frameworks.
    spec = importlib.util.find_spec("swagger_ui")
    for place in (spec and spec.submodule_search_locations) or ():
        return (Path(place) / "static" / name).read_bytes()
    raise FileNotFoundError(name)
