"""Clusters, nsides, classifiers and environments of `POST /scan`, for whatever values there are."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from skydriver.model.submission import (
    CODE_VARIABLES,
    workers_by_cluster,
)
from skydriver.model.worker_pools import MAX_CLUSTERS
from tests.support.submission import named, problems, scan_arguments

# --- clusters ------------------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=10)
WORKERS = st.integers(1, 2**31 - 1)


@given(st.dictionaries(NAMES, WORKERS, min_size=1, max_size=5))
def test_clusters_as_an_object(clusters: dict[str, int]) -> None:
    assert scan_arguments(cluster=clusters).cluster == list(clusters.items())


@given(st.lists(st.tuples(NAMES, WORKERS), min_size=1, max_size=5))
def test_clusters_as_a_list_may_name_one_twice(pairs: list[tuple[str, int]]) -> None:
    assert scan_arguments(cluster=[list(pair) for pair in pairs]).cluster == pairs


@given(
    st.lists(
        st.tuples(NAMES, st.integers() | st.floats() | st.booleans() | st.text() | st.none()), min_size=1
    )
)
def test_clusters_have_positive_whole_numbers_of_workers_or_are_refused(pairs: list[tuple[str, Any]]) -> None:
    # As JSON does: 2.0 is a whole number, True is none.
    whole = all(type(n) is int or (type(n) is float and n.is_integer()) for _, n in pairs)
    good = whole and all(1 <= n < 2**31 for _, n in pairs) and len(pairs) <= MAX_CLUSTERS
    if good:
        assert scan_arguments(cluster=pairs).cluster == pairs
    else:
        assert set(problems(cluster=pairs)) == {"cluster"}


def test_workers_are_added_up_by_cluster() -> None:
    assert workers_by_cluster([("sub-2", 56), ("other", 1), ("sub-2", 1234)]) == {"sub-2": 1290, "other": 1}


# --- nsides --------------------------------------------------------------------------------------------


@st.composite
def progressions(draw: st.DrawFn) -> dict[str, int]:
    """Progressions by the scanner's rules."""
    exponents = sorted(draw(st.sets(st.integers(0, 29), min_size=1, max_size=6)))
    extensions = draw(st.lists(st.integers(1, 10_000), min_size=len(exponents), max_size=len(exponents)))
    return {
        str(2**exponent): extension if n else 0
        for n, (exponent, extension) in enumerate(zip(exponents, extensions, strict=True))
    }


@given(progressions())
def test_progressions_by_the_scanners_rules_are_kept_in_order(nsides: dict[str, int]) -> None:
    assert list(scan_arguments(nsides=nsides).nsides.items()) == list(nsides.items())


@given(st.dictionaries(st.integers(-2, 1025), st.integers(-2, 30), min_size=1, max_size=4))
def test_any_other_progression_is_refused(nsides: dict[int, int]) -> None:
    keys, extensions = list(nsides), list(nsides.values())
    good = (
        all(key > 0 and key.bit_count() == 1 for key in keys)
        and keys == sorted(keys)
        and extensions[0] == 0
        and all(extension > 0 for extension in extensions[1:])
    )
    given_ = {str(key): extension for key, extension in nsides.items()}
    if good:
        assert scan_arguments(nsides=given_).nsides == given_
    else:
        assert set(problems(nsides=given_)) == {"nsides"}


@given(progressions(), st.randoms())
def test_a_progression_is_taken_in_any_order_and_sorted(nsides: dict[str, int], random: Any) -> None:
    pairs = list(nsides.items())
    random.shuffle(pairs)
    assert list((scan_arguments(nsides=dict(pairs)).nsides).items()) == list(nsides.items())


# --- what users attach ---------------------------------------------------------------------------------

LABELS = st.dictionaries(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=25),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=25),
    max_size=25,
)


@given(LABELS)
def test_classifiers_are_kept_as_they_are(labels: dict[str, Any]) -> None:
    kept = scan_arguments(classifiers=labels).classifiers
    assert kept == labels
    assert [type(value) for value in kept.values()] == [type(value) for value in labels.values()]


@given(
    st.dictionaries(
        st.text(max_size=30), st.text(max_size=30) | st.lists(st.integers(), max_size=1), max_size=28
    )
)
def test_classifiers_within_bounds_or_refused(labels: dict[str, Any]) -> None:
    good = len(labels) <= 25 and all(
        isinstance(label, str) and len(label) <= 25 and len(key) <= 25 and "\0" not in key
        for key, label in labels.items()
    )
    if good:
        assert scan_arguments(classifiers=labels).classifiers == labels
    else:
        assert named(problems(classifiers=labels)) == {"classifiers"}


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True),
        st.text(st.characters(exclude_characters="\0"), max_size=100) | st.integers(0, 99) | st.booleans(),
        max_size=25,
    )
)
def test_environments_without_secrets_or_the_services_variables_are_kept(variables: dict[str, Any]) -> None:
    assume(
        not any(word in name.upper() for name in variables for word in ("TOKEN", "AUTH", "PASS", "SECRET"))
    )
    assume(not any(name.startswith(("SKYSCAN_", "EWMS_", "AWS_")) for name in variables))
    assume(not any(CODE_VARIABLES.fullmatch(name) for name in variables))
    assert scan_arguments(scanner_server_env=variables).scanner_server_env == variables


def test_users_may_set_what_the_service_does_not() -> None:
    variables = {
        "SKYSCAN_MINI_TEST": "yes",
        "SKYSCAN_PROGRESS_INTERVAL_SEC": 5,
        "EWMS_PILOT_QUARANTINE_TIME": 1,
    }
    assert scan_arguments(scanner_server_env=variables).scanner_server_env == variables
