"""The shadow on Ray: it looks by itself, halts what is wrong, and a killed one is back."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.desk_words import UP, XRP, Scene, says
from tests.ray_desks import poll_until
from tg_actors.domain.orders import TradingState
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.shadow.actor import ShadowActor, ShadowActorSpec
from tg_actors.execution.start import AccountSpec, open_exchange
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.journal.repository import Journal

pytestmark = pytest.mark.ray


class MortalShadow(ShadowActor):
    @ray.method(max_task_retries=0)  # else Ray would retry the crash itself
    def die(self) -> None:
        os._exit(1)


def _poorer_venue(spec: AccountSpec, journal: Journal, at_ns: int) -> tuple[Venue, int]:
    """An account that holds a cent less than the desk believes."""
    del journal, at_ns
    cash = dict(spec.executor.opening_cash)
    cash["USDT"] -= Decimal("0.01")
    exchange: PracticeExchange = open_exchange(
        spec.model_copy(update={"executor": spec.executor.model_copy(update={"opening_cash": cash})})
    )
    return PracticeVenue(exchange, durable=False), -1


@pytest.mark.usefixtures("local_ray")
def test_a_shadow_comes_back_after_its_death_and_halts_what_differs(tmp_path: Path) -> None:
    scene = Scene(script=says({5: {XRP: UP}}))
    with scene.open(tmp_path) as desk:
        desk.run(1)
        spec = ShadowActorSpec(
            journal=str(tmp_path / "desk.sqlite"), account=scene.plan("").account, every_s=0.5
        )
        mortal = ray.remote(MortalShadow).options(max_restarts=-1, num_cpus=0)
        shadow: Any = mortal.remote(spec, _poorer_venue)
        shadow.die.remote()
        is_halted = lambda: desk.journal.trading_state() is TradingState.HALTED or None  # noqa: E731
        assert poll_until(is_halted, timeout_s=60)
        assert desk.journal.control().actor == "shadow"
        looks, found = ray.get(shadow.report.remote(), timeout=30)
        assert looks >= 2
        assert [difference.text for difference in found] == [
            "USDT: the venue holds 9999.99, its trades make 10000"
        ]
        ray.kill(shadow)
