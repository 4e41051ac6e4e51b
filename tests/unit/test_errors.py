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
