"""Every fill of seeded runs, hashed: whatever changes a result changes a committed line here."""

import pytest

from tests.kernel_words import CLOSE, OPEN, VOLUME, fingerprint, held_targets, market, through_desk
from tg_actors.backtest.costs import parse_slippage
from tg_actors.backtest.fills import FillRule
from tg_actors.backtest.kernel import KernelRules, replay

LONG, BOTH = (0.0, 0.3, 0.5, 1.0), (-1.0, -0.4, 0.0, 0.5, 1.0)
CASES = {
    "next open": (LONG, KernelRules(fee_frac=0.001)),
    "signal close": (LONG, KernelRules(fee_frac=0.001, fill=FillRule.SIGNAL_CLOSE)),
    "every bar": (LONG, KernelRules(fee_frac=0.001, on="every_bar")),
    "decision, 5 bps": (
        LONG,
        KernelRules(fee_frac=0.001, size_at="decision", slippage=parse_slippage("fixed_bps:5")),
    ),
    "impact": (LONG, KernelRules(fee_frac=0.001, slippage=parse_slippage("impact_bps:40"))),
    "short": (BOTH, KernelRules(fee_frac=0.001)),
    "short, volatility": (BOTH, KernelRules(fee_frac=0.001, slippage=parse_slippage("volatility:0.1"))),
}
EXPECTED = {
    "next open": "339c1fa6c5957ce5009a1b2126edf90d53630b89c6a2acaf0f9b40c07692fd01",
    "signal close": "2062762e0a8f4ff4b1bf1a84156be953af1f34a91beb36de8f3d45b830a760b9",
    "every bar": "7934e88874e8c5191fa820aa4cde8c4c494aec6779b2079c58b83059e57d5fb0",
    "decision, 5 bps": "1681ef9871e36014d62cb93ae354800592326c15789871f9e2c1ba92170e9a8e",
    "impact": "f8c512f32c1faffc5245fadcf650b122fec6ae62d72e5b92257fb199bcbbbc90",
    "short": "ae12e7efcbace56a7cb35bf8af5193842070f546572794c17852d53eb1811528",
    "short, volatility": "22d21d75bf45e56c37c36e6ad22a1415786372d502fae1d889cb704c8c80f2e3",
}
#: The desk's spot account is never short, and the exchange has no volatility model. A small rebalance is a
#: difference of large numbers, so "every bar" agrees to fewer digits than a fingerprint has.
BY_DESK = ("next open", "signal close", "decision, 5 bps", "impact")


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_fills_as_it_always_did(name: str) -> None:
    levels, rules = CASES[name]
    ohlcv, targets = market(11, 400), held_targets(11, 400, levels)
    done = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, rules, volume=ohlcv[:, VOLUME])
    assert fingerprint(done) == EXPECTED[name]


@pytest.mark.parametrize("name", BY_DESK)
def test_the_desk_has_the_kernels_fingerprint(name: str) -> None:
    levels, rules = CASES[name]
    ohlcv, targets = market(11, 400), held_targets(11, 400, levels)
    assert fingerprint(through_desk(ohlcv, targets, rules)) == EXPECTED[name]
