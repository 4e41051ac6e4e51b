import pytest

from skydriver import errors


def test_wrong_arguments_are_named_in_one_sentence() -> None:
    error = errors.InvalidArguments({"cluster": "is required", "nsides.8": "must be 0"})
    assert error.problems == {"cluster": "is required", "nsides.8": "must be 0"}
    assert str(error) == "argument cluster: is required; argument nsides.8: must be 0"


@pytest.mark.parametrize(
    "permanent",
    [
        errors.InvalidArguments({}),
        errors.NotFound(),
        errors.Forbidden(),
        errors.TooLarge(),
        errors.Conflict(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_will_not_get_better_is_never_taken_for_what_may(permanent: errors.SkyDriverError) -> None:
    assert isinstance(permanent, errors.PermanentError)
    assert not isinstance(permanent, errors.TemporaryError)


def test_a_lease_that_is_taken_may_get_better() -> None:
    assert isinstance(errors.Busy(), errors.TemporaryError)
    assert not isinstance(errors.Busy(), errors.PermanentError)


def _all(kind: type[errors.SkyDriverError]) -> list[type[errors.SkyDriverError]]:
    return [kind, *(found for one in kind.__subclasses__() for found in _all(one))]


@pytest.mark.parametrize("kind", _all(errors.SkyDriverError), ids=lambda kind: kind.__name__)
def test_a_client_and_a_broker_are_told_whether_to_try_again(kind: type[errors.SkyDriverError]) -> None:
    may_pass = issubclass(kind, errors.TemporaryError)
    assert (kind.http_status in (429, 503)) == may_pass
    assert (kind.broker_status in (409, 503)) == may_pass
    # A broker takes 404 for a function that is not there yet.
    assert kind.broker_status in (409, 422, 503)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in _all(errors.SkyDriverError)[1:] if kind.__module__ == errors.__name__],
    ids=lambda kind: kind.__name__,
)
def test_the_tree_of_errors_tells_the_statuses(kind: type[errors.SkyDriverError]) -> None:
    lines = [line.split() for line in (errors.__doc__ or "").splitlines()]
    (line,) = [line for line in lines if line[:1] == [kind.__name__]]
    assert int(line[1]) == kind.http_status
    # What is not written is as of the class above.
    above: type[errors.SkyDriverError] = kind.__mro__[1]
    assert kind.broker_status == (int(line[2]) if len(line) > 2 else above.broker_status)
