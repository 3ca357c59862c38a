import numpy as np
import pytest

from tests.kernel_words import CLOSE, OPEN, VOLUME, held_targets, market, plain_loop
from tg_actors.backtest.costs import (
    FeeName,
    SlippageModel,
    SlippageName,
    flat_fee_frac,
    parse_slippage,
    trailing_volatility,
)
from tg_actors.backtest.fills import FILL_RULES, FillRule
from tg_actors.backtest.kernel import KernelRules, replay, replay_many

NEXT_OPEN = KernelRules(fee_frac=0.01)


def prices(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_target_buys_at_the_next_open_and_the_rest_stays_cash() -> None:
    opens, closes = prices(100, 110, 120), prices(105, 115, 125)
    done = replay(opens, closes, prices(0.5, 0.5, 0.5), NEXT_OPEN, 10_000)
    (fill,) = done.fills
    quantity = 0.5 * 10_000 / 110
    assert (fill["bar"], fill["decided"], fill["price"]) == (1, 0, 110)
    assert fill["quantity"] == pytest.approx(quantity)
    assert fill["fee"] == pytest.approx(50)
    assert done.equity == pytest.approx([10_000, 4_950 + quantity * 115, 4_950 + quantity * 125], rel=1e-14)


def test_a_target_fills_on_its_own_close_when_ruled_so_which_is_called_optimistic() -> None:
    rules = KernelRules(fill=FillRule.SIGNAL_CLOSE)
    done = replay(prices(100, 110), prices(105, 115), prices(1, 0), rules, 1_050)
    assert done.fills["bar"].tolist() == [0, 1]
    assert done.fills["price"].tolist() == [105, 115]
    assert done.final_equity == pytest.approx(1_150)
    assert [rule for rule, traits in FILL_RULES.items() if traits.is_optimistic] == [FillRule.SIGNAL_CLOSE]


def test_the_size_comes_from_the_decision_when_ruled_so() -> None:
    rules = KernelRules(size_at="decision")
    done = replay(prices(100, 80), prices(100, 80), prices(0.5, 0.5), rules, 1_000)
    assert done.fills["quantity"].tolist() == [5.0]


def test_a_buy_that_the_cash_does_not_cover_is_reduced_to_what_it_covers() -> None:
    done = replay(prices(100, 100), prices(100, 100), prices(1, 1), NEXT_OPEN, 10_100)
    assert done.fills["quantity"][0] == pytest.approx(100)
    assert done.cash == 0
    gap = replay(prices(100, 200), prices(100, 200), prices(1, 1), KernelRules(size_at="decision"), 1_000)
    assert gap.fills["quantity"][0] == 5


def test_an_order_comes_with_a_change_or_with_every_bar() -> None:
    ohlcv, targets = market(3, 200), np.full(200, 0.5)
    once = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, KernelRules())
    always = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, KernelRules(on="every_bar"))
    assert len(once.fills) == 1
    assert len(always.fills) > 190


def test_a_target_that_is_no_number_leaves_everything_as_it_is() -> None:
    nothing = np.nan
    done = replay(np.full(5, 100.0), np.full(5, 100.0), prices(1, nothing, nothing, 1, 0), KernelRules())
    assert done.fills["decided"].tolist() == [0]


def test_a_missing_bar_fills_nothing_and_the_order_waits() -> None:
    opens, closes = prices(100, np.nan, 120, 130), prices(100, np.nan, 125, 130)
    done = replay(opens, closes, prices(1, 0, 1, 1), KernelRules(), 1_200)
    assert done.fills["bar"].tolist() == [2]
    assert done.equity.tolist() == [1_200, 1_200, 1_250, 1_300]


def test_a_short_sale_brings_cash_and_owes_the_price() -> None:
    done = replay(prices(100, 100, 90), prices(100, 100, 90), prices(-1, -1, -1), KernelRules(), 1_000)
    assert (done.quantity, done.cash) == (-10, 2_000)
    assert done.equity.tolist() == [1_000, 1_000, 1_100]
    turned = replay(prices(100, 100, 50), prices(100, 100, 50), prices(-1, 1, 1), KernelRules(), 1_000)
    assert turned.fills["quantity"].tolist() == [-10, 40]
    assert turned.cash == 0


def test_ruin_is_for_good_and_never_leaves_less_than_nothing() -> None:
    closes = prices(100, 100, 250, 50, 50)
    done = replay(closes, closes, prices(-1, -1, 1, 0.5, 1), KernelRules(), 1_000)
    assert done.ruin_bar == 2
    assert done.equity.tolist() == [1_000, 1_000, 0, 0, 0]
    assert done.fills["bar"].tolist() == [1, 2]
    assert (done.cash, done.quantity) == (0, 0)
    assert 1_000 - sum(done.fills["quantity"] * done.fills["price"]) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_is_the_plain_loop(seed: int) -> None:
    ohlcv, targets = market(seed, 500), held_targets(seed, 500, (0.0, 0.25, 0.5, 0.9))
    equity, _ = plain_loop(ohlcv, targets, 0.001, 10_000)
    done = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, KernelRules(fee_frac=0.001))
    assert done.equity == pytest.approx(equity, rel=1e-12)


@pytest.mark.parametrize("text", ["fixed_bps:5", "volatility:0.5", "impact_bps:30"])
@pytest.mark.parametrize("fill", [FillRule.NEXT_OPEN, FillRule.SIGNAL_CLOSE])
def test_slippage_is_always_against_us(text: str, fill: FillRule) -> None:
    ohlcv, targets = market(7, 300), held_targets(7, 300, (-0.5, 0.0, 0.5))
    rules = KernelRules(fill=fill, slippage=parse_slippage(text))
    done = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, rules, volume=ohlcv[:, VOLUME])
    market_price = ohlcv[:, OPEN if fill is FillRule.NEXT_OPEN else CLOSE][done.fills["bar"]]
    worse = (done.fills["price"] / market_price - 1) * np.sign(done.fills["quantity"])
    assert len(worse) > 30
    assert worse[5:].min() > 0


def test_impact_grows_with_the_part_of_the_volume_and_ends_at_all_of_it() -> None:
    model = SlippageModel(SlippageName.IMPACT_BPS, 100.0)
    flat, targets = np.full(3, 10.0), prices(1, 1, 1)
    for volume, bps in ((1_000.0, 10.0), (100.0, 100.0), (1.0, 100.0), (0.0, 100.0)):
        done = replay(flat, flat, targets, KernelRules(slippage=model), 1_000, volume=np.full(3, volume))
        assert done.fills["price"][0] == pytest.approx(10 * (1 + bps * 1e-4))


def test_volatility_knows_only_what_was_before() -> None:
    close = market(5, 100)[:, CLOSE]
    returns = close[1:] / close[:-1] - 1
    known = trailing_volatility(close)
    assert known[:2].tolist() == [0, 0]
    assert known[40] == pytest.approx(returns[15:39].std())
    later = close.copy()
    later[60:] *= 3
    assert trailing_volatility(later)[:61].tolist() == known[:61].tolist()


def test_many_columns_are_sleeves_of_equal_capital() -> None:
    ohlcv = np.stack([market(seed, 120) for seed in range(3)], axis=1)
    targets = np.stack([held_targets(seed, 120, (-1.0, 0.0, 1.0)) for seed in range(3)], axis=1)
    opens, closes = ohlcv[..., OPEN], ohlcv[..., CLOSE]
    many = replay_many(opens, closes, targets, NEXT_OPEN, 9_000)
    alone = [replay(opens[:, k], closes[:, k], targets[:, k], NEXT_OPEN, 3_000) for k in range(3)]
    assert many.final_equity == sum(one.final_equity for one in alone)
    assert many.equity.tolist() == pytest.approx(np.sum([one.equity for one in alone], axis=0).tolist())


def test_what_cannot_be_replayed_is_refused() -> None:
    flat = np.full(3, 10.0)
    with pytest.raises(ValueError, match="use the event path"):
        replay(flat, flat, flat * 0, KernelRules(fill=FillRule.BOOK_WALK))
    with pytest.raises(ValueError, match=r"from -1 to 1, not 1\.5"):
        replay(flat, flat, prices(0, 1.5, 0), KernelRules())
    with pytest.raises(ValueError, match="alike"):
        replay(flat, flat, prices(0, 1), KernelRules())
    with pytest.raises(ValueError, match="not a positive number"):
        replay(flat * 0, flat, flat * 0, KernelRules())
    with pytest.raises(ValueError, match="needs the volume"):
        replay(flat, flat, flat * 0, KernelRules(slippage=parse_slippage("impact_bps:5")))
    with pytest.raises(ValueError, match="fee_frac"):
        KernelRules(fee_frac=1.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fixd:5", "unknown"),
        ("fixed_bps:x", "not a number"),
        ("fixed_bps:-1", "at least 0"),
        ("none:1", "takes no"),
    ],
)
def test_a_slippage_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_slippage(text)


def test_a_maker_pays_the_makers_rate() -> None:
    assert flat_fee_frac(FeeName.MAKER, 0.001, 0.002) == 0.001
    assert flat_fee_frac(FeeName.TAKER, 0.001, 0.002) == 0.002
