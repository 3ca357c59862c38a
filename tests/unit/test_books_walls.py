"""What is large is measured against the neighbourhood: by median, and never at the best level."""

import numpy as np
import pytest

from tg_actors.market.books import walls


def ladder(sizes: np.ndarray, mid: float = 100.0, step: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of one book with equal sizes on both, one level a step."""
    away = (1.0 + np.arange(len(sizes))) * step
    price = np.stack((mid - away, mid + away))[np.newaxis]
    return price, np.stack((sizes, sizes))[np.newaxis]


def brute_bands(price: np.ndarray, size: np.ndarray, reach: float, count: int) -> np.ndarray:
    mid = price[:, 0].mean()
    out = np.zeros((2, count))
    for side in range(2):
        for level in range(1, price.shape[1]):
            away = abs(price[side, level] / mid - 1.0) / reach
            if np.isfinite(size[side, level]) and away <= 1.0 + 1e-9:
                out[side, min(int(away * count), count - 1)] += size[side, level]
    return out


@pytest.mark.parametrize("seed", range(5))
def test_bands_are_the_sums_of_their_levels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    price, size = ladder(rng.exponential(1.0, 60))
    price *= 1.0 + 1e-5 * rng.random(price.shape)
    price[0, 0, 40:] = size[0, 0, 40:] = np.nan
    reach = walls.reach(price)
    sums = walls.bands(price, size, reach, 12)
    np.testing.assert_allclose(sums[0], brute_bands(price[0], size[0], float(reach[0]), 12), rtol=1e-12)
    assert sums[0, 0].sum() == pytest.approx(size[0, 0, 1:40].sum()), (
        "all but the best level of the nearer side"
    )


def test_a_book_is_seen_as_far_as_its_nearer_side() -> None:
    price, _ = ladder(np.ones(50))
    price[0, 1, 20:] = np.nan
    assert walls.reach(price)[0] == pytest.approx(0.2 / 100.0)
    price[0, 1, 1:] = np.nan
    assert np.isnan(walls.reach(price)[0])


def test_one_wall_stands_out_and_many_walls_are_the_norm() -> None:
    sizes = np.full((1, 40), 2.0) + np.tile([0.0, 0.4], 20)
    sizes[0, 7] = 30.0
    assert np.flatnonzero(walls.scores(sizes)[0] > 6.0).tolist() == [7]
    sizes[0, ::2] = 30.0
    assert not (walls.scores(sizes)[0] > 6.0).any()


def test_the_best_level_is_deep_by_nature_and_no_wall() -> None:
    """Measured for BTC: 6 to 19 times the next level."""
    sizes = np.ones(60)
    sizes[0] = 19.0
    price, size = ladder(sizes)
    assert not (walls.scores(walls.bands(price, size, walls.reach(price))) > 6.0).any()


def test_the_score_does_not_depend_on_units() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.exponential(1.0, (2, 40))
    np.testing.assert_allclose(walls.scores(sizes), walls.scores(sizes * 1e6), rtol=1e-9)


def test_a_book_with_hardly_anything_has_no_norm_and_no_wall() -> None:
    sizes = np.zeros((1, 40))
    sizes[0, :7] = 1.0
    sizes[0, 6] = 1e6
    assert np.isnan(walls.norm(sizes)[0]).all()
    assert (walls.scores(sizes) == 0.0).all()
    sizes[0, 7] = 1.0
    assert walls.scores(sizes)[0, 6] > 6.0


def test_norm_equals_numpys_median() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.exponential(1.0, (3, 2, 41))
    sizes[rng.random(sizes.shape) < 0.3] = 0.0
    middle, spread = walls.norm(sizes)
    for k in np.ndindex(3, 2):
        held = sizes[k][sizes[k] > 0.0]
        expected = np.median(held)
        assert middle[k] == pytest.approx(expected)
        assert spread[k] == pytest.approx(max(1.4826 * np.median(abs(held - expected)), 0.1 * expected))
