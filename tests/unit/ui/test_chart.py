"""The chart of pixels over time: within its picture, small, a line an attempt."""

from skydriver.ui.chart import BOTTOM, HEIGHT, LEFT, MAX_POINTS, RIGHT, TOP, WIDTH, pixel_chart


def points_of(line: str) -> list[tuple[float, float]]:
    pairs = (point.split(",") for point in line.split())
    return [(float(x), float(y)) for x, y in pairs]


def test_one_point_makes_no_line() -> None:
    assert pixel_chart([]) is None
    assert pixel_chart([[10.0, 5, 1]]) is None


def test_the_line_goes_from_corner_to_corner() -> None:
    chart = pixel_chart([[100.0, 0, 1], [150.0, 50, 1], [200.0, 100, 1]])
    assert chart is not None
    [line] = chart["lines"]
    assert points_of(line) == [
        (LEFT, HEIGHT - BOTTOM),
        ((LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2),
        (WIDTH - RIGHT, TOP),
    ]
    assert (chart["begin"], chart["end"], chart["most"], chart["last"]) == (100.0, 200.0, 100, 100)


def test_each_attempt_has_its_line() -> None:
    chart = pixel_chart([[1.0, 0, 1], [2.0, 9, 1], [3.0, 0, 2], [4.0, 4, 2]])
    assert chart is not None
    assert [len(points_of(line)) for line in chart["lines"]] == [2, 2]
    assert (chart["most"], chart["last"]) == (9, 4)


def test_many_points_become_few_and_stay_in_the_picture() -> None:
    chart = pixel_chart([[float(n), n % 7, 1] for n in range(499)])
    assert chart is not None
    [line] = chart["lines"]
    places = points_of(line)
    assert 2 < len(places) <= MAX_POINTS + 1
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in places)


def test_nothing_done_and_no_time_passed_is_no_division_by_zero() -> None:
    chart = pixel_chart([[5.0, 0, 1], [5.0, 0, 1]])
    assert chart is not None
    assert chart["most"] == 1
