"""The limit of correlated clusters: what is counted, what is left, and what is not known."""

from decimal import Decimal
from math import nan
from typing import Any

import pytest
from pydantic import ValidationError

from tests.correlation_words import walks
from tests.risk_words import BTC, SYMBOLS, XRP, XRP_BTC, Scene, an_account, holding
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import Account, DenialCode
from tg_actors.portfolio.clusters import UNKNOWN
from tg_actors.risk.clusters import ClusterFinder, Clusters
from tg_actors.risk.limits import RiskLimits

LIMIT: dict[str, Any] = {"cluster_exposure_frac_max": Decimal("0.1"), "risk_per_trade_frac": Decimal("0.1")}
TOGETHER = walks([[0.95], [0.95], [0.0]])
APART = walks([[0.0], [0.0], [0.0]])


def bought(scene: Scene) -> dict[str, Decimal]:
    """Notional in the reporting currency of every approved entry; all prices are 100."""
    rates = scene.account.rates
    return {
        i.spec.symbol: i.spec.quantity * i.reference_price * rates[i.spec.symbol.partition("/")[2]]
        for i in scene.judge().approved
    }


@pytest.mark.parametrize(
    ("closes", "account", "room"),
    [
        # Of 10,000: nothing used, a position of the cluster, one of another, an order of the cluster.
        (TOGETHER, an_account(), 10_000),
        (TOGETHER, holding("40", XRP), 6_000),
        (TOGETHER, holding("-40", XRP), 6_000),
        (APART, holding("40", XRP), 10_000),
        (TOGETHER, an_account(open_notional={XRP: Decimal(2_500)}), 7_500),
        (TOGETHER, holding("40", XRP, open_notional={XRP: Decimal(2_500)}), 3_500),
        # Nobody knows what correlates: all of it is one cluster.
        (None, holding("40", XRP), 6_000),
        (None, holding("0.4", XRP_BTC), 6_000),
        (TOGETHER[:20], holding("40", XRP), 6_000),
    ],
)
def test_an_entry_gets_what_its_cluster_leaves(closes: F64 | None, account: Account, room: int) -> None:
    scene = Scene(closes=closes, account=account, limits=LIMIT)
    assert bought(scene) == {BTC: pytest.approx(Decimal(room), abs=Decimal("0.2"))}


def test_entries_of_one_judgement_share_a_cluster() -> None:
    limits = LIMIT | {"position_frac_max": Decimal("0.07")}
    rich = an_account(cash={"USDT": Decimal(100_000), "BTC": Decimal(1_000)})
    all_of_them, confidence = (1.0, 1.0, 1.0), (0.9, 0.8, 0.7)
    scene = Scene(all_of_them, confidence, closes=TOGETHER, account=rich, limits=limits)
    assert bought(scene) == {BTC: 7_000, XRP: 3_000, XRP_BTC: pytest.approx(Decimal(7_000), abs=Decimal(10))}


def test_a_full_cluster_denies_and_says_so() -> None:
    scene = Scene(closes=TOGETHER, account=holding("100", XRP), limits=LIMIT)
    [denied] = scene.judge().denied
    assert denied.code is DenialCode.CLUSTER_LIMIT
    assert denied.detail == "cluster leaves 0, below the venue's minimum"


def test_exits_are_not_asked() -> None:
    over = Scene(exposure=(nan, 0.0, nan), closes=TOGETHER, account=holding("500", XRP), limits=LIMIT)
    [intent] = over.judge().approved
    assert intent.spec.quantity == 500


def test_without_the_limit_nothing_is_counted() -> None:
    limits = {key: value for key, value in LIMIT.items() if key != "cluster_exposure_frac_max"}
    scene = Scene(closes=TOGETHER, account=holding("100", XRP), limits=limits)
    assert bought(scene) == {BTC: 10_000}


def test_unknown_counts_in_every_cluster_and_lives_in_the_fullest() -> None:
    clusters = Clusters({BTC: 0, XRP: 1, XRP_BTC: UNKNOWN})
    clusters.add(BTC, Decimal(5))
    clusters.add(XRP, Decimal(3))
    assert [clusters.used(symbol) for symbol in SYMBOLS] == [5, 3, 5]
    clusters.add(XRP_BTC, Decimal(2))
    assert [clusters.used(symbol) for symbol in SYMBOLS] == [7, 5, 7]
    # So does what is not even of the desk.
    clusters.add("DOGE/USDT", Decimal(1))
    assert [clusters.used(symbol) for symbol in SYMBOLS] == [8, 6, 8]


def test_a_young_instrument_is_unknown_and_the_others_are_not() -> None:
    closes = TOGETHER.copy()
    closes[:-10, 2] = nan
    finder = ClusterFinder(RiskLimits(**LIMIT), 3)
    assert finder.find(closes) == (0, 0, UNKNOWN)
    assert finder.find(None) == (UNKNOWN,) * 3
    # What was found for other closes is not remembered for these.
    assert finder.find(APART) == (0, 1, 2)
    assert finder.find(closes) == (0, 0, UNKNOWN)


def test_bounds_of_the_threshold_are_the_owners() -> None:
    closes = walks([[0.87], [0.87], [0.0]])  # correlates by 0.76, shrunk to 0.7
    at_once: dict[str, Any] = {
        "cluster_correlation_min": Decimal("0.6"),
        "cluster_correlation_max": Decimal("0.6"),
    }
    assert ClusterFinder(RiskLimits(**LIMIT, **at_once), 3).find(closes) == (0, 0, 1)
    never: dict[str, Any] = {
        "cluster_correlation_min": Decimal("0.8"),
        "cluster_correlation_max": Decimal("0.8"),
    }
    assert ClusterFinder(RiskLimits(**LIMIT, **never), 3).find(closes) == (0, 1, 2)
    with pytest.raises(ValidationError, match="cluster_correlation_min must not be above"):
        RiskLimits(cluster_correlation_min=Decimal("0.7"), cluster_correlation_max=Decimal("0.6"))


def test_closes_of_other_instruments_are_a_bug() -> None:
    with pytest.raises(ValueError, match="closes must be of the desk's instruments"):
        Scene(closes=TOGETHER[:, :2]).judge()


def test_days_are_asked_for_only_where_clusters_are_limited() -> None:
    assert RiskLimits().needs().days == 0
    assert RiskLimits(**LIMIT).needs().days == 91
