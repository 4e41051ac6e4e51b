"""Clusters of jobs on a real pool are stopped, and may be stopped again."""

from pathlib import Path

import pytest

from skydriver.errors import PermanentError
from skydriver.workers.htcondor.backend import HTCondorWorkers
from tests.components.htcondor.pool import Pool
from tests.system.htcondor.clusters import SLEEP, Spec, entry_of, look_at, observed, of

pytestmark = pytest.mark.usefixtures("settled")


async def test_a_stopped_cluster_is_gone_and_may_be_stopped_again(pool: Pool, spec: Spec) -> None:
    wanted, other = spec(*SLEEP, n_workers=3), spec(*SLEEP, n_workers=1)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    await HTCondorWorkers().start(other)
    await observed(entry, lambda seen: "Running" in seen.statuses)
    await HTCondorWorkers().stop(entry)
    assert pool.jobs(of(wanted)) == []
    assert len(pool.jobs(of(other))) == 1
    await HTCondorWorkers().stop(entry)
    seen = await look_at(entry)
    assert seen.statuses == {"Removed": {"null": 3}}


async def test_a_cluster_whose_start_was_never_recorded_is_stopped_too(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    await HTCondorWorkers().stop({**entry, "cluster_id": None})
    assert pool.jobs(of(wanted)) == []


async def test_a_token_that_has_expired_meanwhile_is_named(pool: Pool, spec: Spec, tmp_path: Path) -> None:
    wanted = spec(*SLEEP)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    (tmp_path / "secrets" / "good-token" / "token").write_text("no token")
    with pytest.raises(PermanentError, match="does not accept the token of the secret 'good-token'"):
        await HTCondorWorkers().stop(entry)
    assert len(pool.jobs(of(wanted))) == 2
