from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from skydriver.standin.pixels import Lease, PixelQueue, QueueClosed, UnknownLease
from skydriver.standin.recos import Fit, Reco, RecoId

ONE, TWO, THREE = (RecoId(8, ipix, 0) for ipix in (1, 2, 3))


def outcome(llh: float = 1.0) -> Callable[[RecoId], Reco]:
    return lambda reco: Reco(reco, Fit(llh, 1.0, 1.0), 0.0, 0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> PixelQueue:
    return PixelQueue(lease_seconds=100, clock=clock)


def lease(queue: PixelQueue, holder: str = "worker") -> Lease:
    taken = queue.lease(holder, wait=0)
    assert taken is not None
    return taken


def test_work_is_handed_out_in_order_and_once(queue: PixelQueue) -> None:
    queue.put([ONE, TWO])
    assert [lease(queue).reco, lease(queue).reco] == [ONE, TWO]
    assert queue.lease("worker", wait=0) is None


def test_outcomes_reach_the_scan(queue: PixelQueue) -> None:
    queue.put([ONE])
    queue.give_back(lease(queue).number, outcome(4.0))
    reco = queue.collect(timeout=0.01)
    assert reco is not None
    assert (reco.id, reco.fit.llh) == (ONE, 4.0)
    assert queue.collect(timeout=0.01) is None


def test_what_a_worker_gives_up_is_the_next_to_be_handed_out(queue: PixelQueue) -> None:
    queue.put([ONE, TWO])
    queue.give_up(lease(queue).number, "it failed")
    assert lease(queue, "another").reco == ONE


def test_a_worker_that_is_gone_gives_up_all_it_had(queue: PixelQueue) -> None:
    queue.put([ONE, TWO, THREE])
    lease(queue, "gone"), lease(queue, "stays"), lease(queue, "gone")
    queue.give_up_all("gone")
    assert {lease(queue).reco, lease(queue).reco} == {ONE, THREE}
    assert queue.lease("worker", wait=0) is None


def test_a_lease_ends_when_it_has_lasted_too_long(queue: PixelQueue, clock: Clock) -> None:
    queue.put([ONE])
    lease(queue, "slow")
    clock.now = 99
    assert queue.lease("other", wait=0) is None
    clock.now = 100
    assert lease(queue, "other").reco == ONE


def test_an_outcome_that_comes_too_late_counts_if_it_is_the_first(queue: PixelQueue, clock: Clock) -> None:
    queue.put([ONE])
    slow = lease(queue, "slow")
    clock.now = 101
    assert queue.lease("other", wait=0) is not None
    clock.now = 300
    queue.give_back(slow.number, outcome(4.0))
    reco = queue.collect(timeout=0.01)
    assert reco is not None and reco.id == ONE
    assert queue.lease("third", wait=0) is None  # answered, so it is not handed out once more


def test_duplicates_are_passed_on_for_the_ledger_to_ignore(queue: PixelQueue, clock: Clock) -> None:
    queue.put([ONE])
    first = lease(queue)
    clock.now = 101
    second = lease(queue)
    for taken in (first, second):
        queue.give_back(taken.number, outcome())
    assert [queue.collect(0.01), queue.collect(0.01)] == [outcome()(ONE)] * 2


def test_unknown_leases(queue: PixelQueue) -> None:
    with pytest.raises(UnknownLease):
        queue.give_back(7, outcome())
    with pytest.raises(UnknownLease):
        queue.give_up(7, "why not")


def test_giving_up_twice_hands_out_once(queue: PixelQueue) -> None:
    queue.put([ONE])
    taken = lease(queue)
    queue.give_up(taken.number, "once")
    queue.give_up(taken.number, "twice")
    assert lease(queue).reco == ONE
    assert queue.lease("worker", wait=0) is None


def test_an_outcome_that_is_refused_leaves_the_lease_open(queue: PixelQueue) -> None:
    def refuse(reco: RecoId) -> Reco:
        raise ValueError("no number")

    queue.put([ONE])
    taken = lease(queue)
    with pytest.raises(ValueError, match="no number"):
        queue.give_back(taken.number, refuse)
    queue.give_back(taken.number, outcome())
    assert queue.collect(0.01) is not None


def test_a_closed_queue_says_so(queue: PixelQueue) -> None:
    queue.put([ONE])
    queue.close()
    with pytest.raises(QueueClosed):
        queue.lease("worker", wait=0)


def test_waiting_workers_are_woken_by_work_and_by_the_end() -> None:
    queue = PixelQueue(lease_seconds=100)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(queue.lease, n, 30) for n in range(2)]
        queue.put([ONE, TWO])
        assert {taken.result(timeout=10).reco for taken in waiting} == {ONE, TWO}  # type: ignore[union-attr]
        last = pool.submit(queue.lease, "last", 30)
        queue.close()
        with pytest.raises(QueueClosed):
            last.result(timeout=10)
