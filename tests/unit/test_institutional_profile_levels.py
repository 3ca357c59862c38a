import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.institutional.volume_profile_bins import Profiles
from tg_actors.institutional.volume_profile_levels import (
    levels_of,
    nearest,
    nodes_of,
    point_of_control,
    smoothed,
    untouched,
    value_area,
)


def area_by_hand(volume: list[float], poc: int, frac: float) -> tuple[int, int]:
    """The rule of two rows, word by word: first bin inside, last bin inside."""
    low = high = poc
    while sum(volume[low : high + 1]) < frac * sum(volume):
        above, below = volume[high + 1 : high + 3], volume[max(low - 2, 0) : low]
        if above and (not below or sum(above) >= sum(below)):
            high += len(above)
        else:
            low -= len(below)
    return low, high


def test_the_value_area_grows_by_the_richer_pair() -> None:
    # The textbook picture: 30 of 45 are wanted; 10, then 7 + 6 above, then 5 + 4 below make 32.
    volume = np.array([[1.0, 2.0, 4.0, 5.0, 10.0, 7.0, 6.0, 4.0, 3.0, 2.0, 1.0]])
    first, after = value_area(volume, np.array([4]), 2 / 3)
    assert (first.tolist(), after.tolist()) == ([2], [7])


@pytest.mark.parametrize("frac", [0.01, 0.5, 0.7, 0.999])
def test_the_value_area_is_that_of_the_plain_rule(frac: float) -> None:
    rng = np.random.default_rng(5)
    # Whole numbers: sums are exact in whatever order they are taken, and equal pairs happen.
    volume = np.concatenate((rng.integers(0, 9, (200, 33)), rng.integers(0, 9, (50, 33)) ** 3)).astype(float)
    poc = point_of_control(volume)
    first, after = value_area(volume, poc, frac)
    expected = [area_by_hand(row.tolist(), int(k), frac) for row, k in zip(volume, poc, strict=True)]
    assert list(zip(first.tolist(), (after - 1).tolist(), strict=True)) == expected


def test_of_equal_bins_the_point_of_control_is_the_one_nearest_the_middle() -> None:
    volume = np.array([[9.0, 1.0, 9.0, 1.0, 1.0], [1.0, 9.0, 1.0, 9.0, 1.0], [0.0, 0.0, 0.0, 0.0, 7.0]])
    assert point_of_control(volume).tolist() == [2, 1, 4]


def test_levels_are_prices() -> None:
    found = levels_of(Profiles(np.array([[1.0, 8.0, 1.0, 0.0]]), np.array([100.0]), np.array([104.0])), 0.7)
    assert (found.poc.tolist(), found.val.tolist(), found.vah.tolist()) == ([101.5], [101.0], [102.0])
    nothing = levels_of(Profiles(np.zeros((1, 4)), np.array([np.nan]), np.array([np.nan])), 0.7)
    assert np.isnan([nothing.poc[0], nothing.val[0], nothing.vah[0]]).all()


def two_hills() -> F64:
    at = np.arange(64.0)
    hills: F64 = (4 * np.exp(-(((at - 16) / 4) ** 2)) + 2 * np.exp(-(((at - 44) / 4) ** 2)) + 0.05)[
        np.newaxis
    ]
    return hills


def test_hills_are_high_volume_nodes_and_the_valley_between_them_a_low_one() -> None:
    nodes = nodes_of(two_hills(), reach=3, high_min=1.3, low_min=0.5)
    assert np.flatnonzero(nodes.high[0]).tolist() == [16, 44]
    assert nodes.high[0, 16] > nodes.high[0, 44] > 1.3
    assert not nodes.low[0, :16].any()
    assert not nodes.low[0, 45:].any()


def test_a_valley_counts_only_between_hills_that_are_near() -> None:
    at = np.arange(64.0)
    near = (3 * np.exp(-(((at - 28) / 3) ** 2)) + 3 * np.exp(-(((at - 40) / 3) ** 2)))[np.newaxis]
    nodes = nodes_of(near, reach=3, high_min=1.3, low_min=0.5)
    (valley,) = np.flatnonzero(nodes.low[0])
    smooth = smoothed(near)[0]
    assert valley == 34
    assert nodes.low[0, valley] == pytest.approx(1 - smooth[34] / smooth[28], rel=1e-3)


def test_noise_of_single_bins_is_smoothed_away_and_volume_kept() -> None:
    volume = np.zeros((1, 64))
    volume[0, 20:40:2] = 2.0
    smooth = smoothed(volume)
    assert smooth.sum() == pytest.approx(volume.sum())
    np.testing.assert_allclose(smooth[0, 26:34], 1.0, atol=0.01)


def test_the_nearest_level_is_strictly_on_its_side() -> None:
    price, levels = np.array([10.0, 10.0]), np.array([[8.0, 9.0, 10.0, 11.0, 12.0]] * 2)
    strength = np.array([[1.0, 2.0, 9.0, 0.0, 3.0], [0.0] * 5])
    above, below = (nearest(price, levels, strength, above=side) for side in (True, False))
    np.testing.assert_array_equal(above.price, [12.0, np.nan])
    np.testing.assert_array_equal(below.price, [9.0, np.nan])
    assert above.strength.tolist() == [3.0, 0.0]
    assert below.strength.tolist() == [2.0, 0.0]


def test_a_point_of_control_is_naked_until_a_later_session_comes_back_to_it() -> None:
    nan = np.nan
    poc = np.array([[10.0, 20.0, 30.0, nan, 24.0]])
    low, high = np.array([[9.0, 9.0, 25.0, nan, 21.0]]), np.array([[11.0, 22.0, 35.0, nan, 26.0]])
    # 10 was in the second session's range; 20 and 30 lie outside of all that came later.
    assert untouched(poc, low, high).tolist() == [[False, True, True, False, True]]
    assert untouched(poc, low, np.array([[11.0, 22.0, 35.0, nan, 30.0]])).tolist()[0][2] is False
