import orjson

from skydriver.errors import Busy, InvalidArguments
from skydriver.rest.responses import json_response
from skydriver.runtime.error_response import error_answer, response_of_error


def test_an_answer_takes_in_json_that_is_written_already() -> None:
    answer = json_response({"result": orjson.Fragment(b'{"nside-8":{}}')})
    assert (answer.status_code, answer.media_type) == (200, "application/json")
    assert answer.body == b'{"result":{"nside-8":{}}}'


def test_an_error_has_the_form_that_v1_gave_it() -> None:
    answer = error_answer(405, "POST is not served here", {"Allow": "GET"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert orjson.loads(answer.body) == {"code": 405, "error": "POST is not served here"}


def test_all_problems_stand_in_one_sentence() -> None:
    answer = response_of_error(InvalidArguments({"cluster": "is required", "nsides": "is required"}))
    assert orjson.loads(answer.body) == {
        "code": 400,
        "error": "argument cluster: is required; argument nsides: is required",
    }


def test_what_may_get_better_says_when_to_come_again() -> None:
    answer = response_of_error(Busy("another is at it"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
