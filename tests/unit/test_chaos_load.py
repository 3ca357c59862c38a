from pathlib import Path

import pytest

from tg_actors.chaos.load import SUPERVISION, lively_desk, lively_plan
from tg_actors.desk.launch import crew_of
from tg_actors.execution.venues.connection import InlineConnection


@pytest.mark.parametrize("resource", [None, "desk"])
def test_every_actor_of_a_desk_may_live_where_its_plan_says(tmp_path: Path, resource: str | None) -> None:
    plan = lively_plan(lively_desk("load", 1), tmp_path, InlineConnection(), resource)
    stations = crew_of(plan, SUPERVISION).stations
    assert len(stations) == 5
    assert {station.node_resource for station in stations} == {resource}
