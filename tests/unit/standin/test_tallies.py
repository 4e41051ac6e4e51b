from skydriver.standin import tallies


def test_durations_are_timedelta_texts() -> None:
    assert tallies.duration(218.9) == "0:03:38"
    assert tallies.duration(266_987) == "3 days, 2:09:47"


def test_shares() -> None:
    assert tallies.share(675, 768) == "675/768 (0.8789)"
