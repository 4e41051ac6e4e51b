import json
import math

import pytest

from skydriver.standin.event import Event
from skydriver.standin.recos import RecoId
from skydriver.standin.surface import Surface, evaluate

RECO = RecoId(8, 5, 0)


def llh(surface: Surface, ra: float, dec: float) -> float:
    return evaluate(surface, "millipede_wilks", RECO, 1, ra, dec).llh


def test_the_best_fit_is_the_online_direction(sample: Event) -> None:
    surface = Surface.around(sample)
    bottom = llh(surface, surface.ra, surface.dec)
    assert bottom == surface.llh
    for ra, dec in [(0.001, 0), (-0.001, 0), (0, 0.001), (0, -0.001), (math.pi, 0), (1.0, -1.0)]:
        assert llh(surface, surface.ra + ra, surface.dec + dec) > bottom


def test_ninety_percent_contour_has_the_size_of_the_published_one(sample: Event) -> None:
    """GCN 21916: RA -0.80/+1.30, Dec -0.40/+0.70 deg, where 2 * delta llh = 4.61."""
    surface = Surface.around(sample)

    def reach(ra: float, dec: float) -> float:
        """How far in that direction (per step) the contour is, deg."""
        step = math.radians(0.001)
        return next(
            n * 0.001
            for n in range(1, 10_000)
            if 2 * (llh(surface, surface.ra + n * step * ra, surface.dec + n * step * dec) - surface.llh)
            > 4.61
        )

    assert reach(+1, 0) == pytest.approx(1.30, rel=0.2)
    assert reach(-1, 0) == pytest.approx(0.80, rel=0.2)
    assert reach(0, +1) == pytest.approx(0.70, rel=0.2)
    assert reach(0, -1) == pytest.approx(0.40, rel=0.2)


def test_the_surface_survives_json(sample: Event) -> None:
    surface = Surface.around(sample)
    assert Surface.from_json(json.loads(json.dumps(surface.to_json()))) == surface
    with pytest.raises(KeyError):
        Surface.from_json({"ra": 1})


def test_the_best_of_all_variations_is_the_surface(sample: Event) -> None:
    surface = Surface.around(sample)
    alone = evaluate(surface, "millipede_original", RECO, 1, 1.0, 0.5).llh
    several = [evaluate(surface, "millipede_original", RecoId(8, 5, n), 7, 1.0, 0.5).llh for n in range(7)]
    assert min(several) == alone
    assert len(set(several)) == 7


def test_splinempe_knows_no_energies(sample: Event) -> None:
    fit = evaluate(Surface.around(sample), "splinempe", RECO, 7, 1.0, 0.5)
    assert (fit.e_in, fit.e_tot) == (None, None)


def test_the_dummy_gives_noise_that_is_the_same_each_time(sample: Event) -> None:
    surface = Surface.around(sample)
    fits = [evaluate(surface, "dummy", RecoId(8, n, 0), 1, 1.0, 0.5) for n in range(768)]
    assert fits[3] == evaluate(surface, "dummy", RecoId(8, 3, 0), 1, 1.0, 0.5)
    assert 400 < sum(fit.llh for fit in fits) / 768 < 600
