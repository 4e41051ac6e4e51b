import pytest

from skydriver.standin.algorithms import variations


@pytest.mark.parametrize(
    ("name", "normally", "in_mini_test"),
    [
        ("millipede_original", 7, 2),
        ("splinempe", 7, 7),
        ("millipede_wilks", 1, 1),
        ("dummy", 1, 1),
        ("crash_dummy", 1, 1),
    ],
)
def test_variations(name: str, normally: int, in_mini_test: int) -> None:
    assert variations(name, mini_test=False) == normally
    assert variations(name, mini_test=True) == in_mini_test
