from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tg_actors.desk.config import DeskConfig, load_desk
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market, run_name
from tg_actors.domain.errors import UserError
from tg_actors.market.config import RecordedSource

PAPER = load_desk("configs/desks/laptop-paper.yaml")

#: Flags that contradict themselves or mean nothing, and words of the sentence that says so.
SENSELESS = [
    (Flags(market="recoded"), ["recoded", "simulated", "recorded"]),
    (Flags(market="recorded"), ["--data"]),
    (Flags(market="simulated", data=Path("x")), ["--data", "recorded"]),
    (Flags(market="simulated", from_utc="2024-01-01"), ["--from", "recorded"]),
    (Flags(to_utc="2024-01-01"), ["--to", "recorded"]),
    (Flags(data=Path("x"), seed=3), ["--seed", "simulated"]),
    (Flags(timeframe="7m"), ["7m", "1h"]),
    (Flags(speed="fast"), ["fast", "max"]),
    (Flags(speed="0"), ["0"]),
    (Flags(speed="-1"), ["-1"]),
    (Flags(speed="nan"), ["nan"]),
    (Flags(speed="inf"), ["inf", "max"]),
]


@pytest.mark.parametrize(("flags", "words"), SENSELESS)
def test_senseless_flags_are_one_sentence(flags: Flags, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        flagged(PAPER, flags)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_no_flag_leaves_the_desk_as_it_is() -> None:
    assert flagged(PAPER, Flags()) == PAPER


def test_flags_change_what_they_name_and_nothing_else() -> None:
    changed = flagged(PAPER, Flags(instruments=" BTC/USDT, XRP/USDT", timeframe="1m", seed=3, speed="60"))
    assert changed.instruments == ("BTC/USDT", "XRP/USDT")
    assert changed.market.model_dump(mode="json") == {
        "timeframe": "1m",
        "source": {"kind": "simulated", "seed": 3},
    }
    assert changed.pace.speed == 60
    same = {"instruments", "market", "pace"}
    assert changed.model_dump(exclude=same) == PAPER.model_dump(exclude=same)


def test_flags_leave_the_references_of_a_recorded_market() -> None:
    source = RecordedSource(data="bars", venue="KRAKEN", references=("macro/vix",))
    market = PAPER.market.model_copy(update={"source": source})
    changed = flagged(PAPER.model_copy(update={"market": market}), Flags(to_utc="2024-01-01"))
    assert changed.market.source == source.model_copy(update={"to_utc": "2024-01-01"})


def test_another_folder_is_watched_for_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "ohlcv").mkdir()
    (tmp_path / "macro").mkdir()
    (tmp_path / "macro" / "vix_1d.parquet").touch()
    source = RecordedSource(data="bars", references=("macro/vix", "USEQUITY-ADJ/SPY-USD"))
    market = PAPER.market.model_copy(update={"source": source})
    changed = flagged(PAPER.model_copy(update={"market": market}), Flags(data=tmp_path)).market.source
    assert isinstance(changed, RecordedSource)
    assert changed.references == ("macro/vix",)


def test_a_data_folder_alone_means_a_recorded_market() -> None:
    source = flagged(PAPER, Flags(data=Path("bars"), from_utc="2024-01-01")).market.source
    assert source.model_dump(exclude={"venue"}) == {
        "kind": "recorded",
        "data": "bars",
        "from_utc": "2024-01-01",
        "to_utc": None,
    }


def _name(flags: Flags, config: DeskConfig = PAPER, *, backtest: bool = False) -> str:
    changed = flagged(config, flags)
    return run_name(changed, plan_market(changed)[1].start_ns, backtest=backtest)


def test_a_run_is_named_by_what_it_trades() -> None:
    name = _name(Flags())
    assert name.startswith("laptop-paper-simulated-")
    assert _name(Flags(seed=24)) == name, "24 is the desk's own seed"
    assert _name(Flags(speed="60")) == name, "how fast it is played is not what is traded"
    assert _name(Flags(), backtest=True) == f"backtest-{name}"
    bolder = PAPER.model_copy(update={"risk": PAPER.risk.model_copy(update={"cooldown_bars": 1})})
    assert _name(Flags(), bolder) == name, "limits may be changed between two starts"
    others = [
        Flags(seed=8),
        Flags(timeframe="1m"),
        Flags(instruments="BTC/USDT"),
        Flags(instruments="ETH/USDT,BTC/USDT,SOL/USDT,XRP/USDT,DOGE/USDT,XRP/BTC"),
    ]
    names = [_name(flags) for flags in others]
    assert len({name, *names}) == len(others) + 1


def test_the_name_of_the_default_run_never_changes() -> None:
    """People's journals lie in folders of this name: another one would start them anew, unasked."""
    assert _name(Flags()) == "laptop-paper-simulated-e7165c8d"


def _plan(config: DeskConfig, folder: Path = Path("runs/x")) -> DeskPlan:
    spec, feed = plan_market(config)
    return make_plan(config, spec, feed, folder, "journal", durable=True)


def test_a_plan_holds_what_every_room_needs() -> None:
    plan = _plan(PAPER)
    symbols = PAPER.instruments
    assert plan.market.symbols == symbols
    assert tuple(i.symbol for i in plan.account.executor.instruments) == symbols
    assert plan.risk.instruments == plan.account.executor.instruments
    assert plan.risk.limits == PAPER.risk
    assert plan.account.executor.limits == PAPER.permits
    assert plan.account.executor.opening_cash == {"USDT": Decimal(10_000), "BTC": Decimal("0.1")}
    assert tuple(agent.name for agent in plan.agents) == PAPER.agents == plan.meta.agents
    assert (plan.speed, plan.opinion_deadline_s) == (3600, 0.5)
    assert DeskPlan.model_validate(plan.model_dump()) == plan


def test_at_full_speed_the_market_waits_for_the_desk() -> None:
    plan = _plan(flagged(PAPER, Flags(speed="max")))
    assert plan.speed is None
    assert plan.opinion_deadline_s == plan.stall_limit_s == PAPER.pace.stall_limit_s


def test_only_cash_in_which_something_is_paid_is_opened() -> None:
    plan = _plan(flagged(PAPER, Flags(instruments="ETH/USDT")))
    assert plan.account.executor.opening_cash == {"USDT": Decimal(10_000)}


@pytest.mark.parametrize(
    ("instruments", "words"),
    [("XRP/BTC", ["BTC/USDT"]), ("ETH/USDC", ["USDC", "opening_cash"]), ("ETH/EUR", ["EUR"])],
)
def test_an_instrument_that_cannot_be_paid_or_valued_is_refused(instruments: str, words: list[str]) -> None:
    config = flagged(PAPER, replace(Flags(), instruments=instruments))
    with pytest.raises(UserError) as error:
        _plan(config)
    for word in words:
        assert word in str(error.value)
