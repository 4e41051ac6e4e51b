"""The document that is served is that of the functions, with the installation's own address and realm."""

import json

from skydriver.rest.openapi.document import document
from skydriver.rest.openapi.installed import FILE, installed_document
from tests.support.openapi_document import routes, text


def test_the_file_is_what_the_functions_say_of_themselves() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run make docs"


def test_it_names_the_installation() -> None:
    served = json.loads(
        installed_document(url="https://skydriver.test", issuer="https://keycloak.test/realms/I")
    )
    assert served["servers"] == [{"url": "https://skydriver.test"}]
    words = served["components"]["securitySchemes"]["token"]["description"]
    assert words == "a token of https://keycloak.test/realms/I"
    assert served["info"]["version"]
    made = document(routes())
    assert served["paths"] == json.loads(json.dumps(made["paths"]))
    assert served["components"]["schemas"] == json.loads(json.dumps(made["components"]["schemas"]))


def test_without_a_realm_no_token_is_needed() -> None:
    served = json.loads(installed_document(url="http://localhost", issuer=None))
    assert served["components"]["securitySchemes"]["token"]["description"] == "no token is needed here"
