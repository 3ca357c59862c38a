"""A rehearsed improvement as one HTML file: what the desk earned, and what was decided on which day."""

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tg_actors.backtest.rehearsal import Move, Rehearsed
from tg_actors.domain.blocks import F64, I64
from tg_actors.reports.charts import Axes, Chart, Line, Marker, Tick
from tg_actors.rl.improvement import Stage

#: Signs of the stages that are worth one on the picture, and their style.
_SIGNS = {
    Stage.REFUSED: ("✕", "lost"),
    Stage.SHADOW: ("◐", "entry"),
    Stage.CANARY: ("▲", "entry"),
    Stage.CHAMPION: ("★", "won"),
    Stage.ROLLED_BACK: ("▼", "lost"),
}
_TICKS = 6


def render(found: Rehearsed) -> str:
    """Return the page; it needs nothing else."""
    return _ENVIRONMENT.get_template("rehearsal.html").render(found=found, chart_=_chart(found))


def _chart(found: Rehearsed) -> Chart:
    """Worth of the desk and of one that keeps the first champion, with the loop's decisions on it."""
    desk, kept = _worth(found.desk_frac), _worth(found.kept_frac)
    days = np.arange(found.desk_day - 1, found.desk_day + len(found.desk_frac))
    axes = Axes.around(days, [desk, kept], "{:.2f}")
    lines = [
        Line("desk that follows the registry", "desk", axes.path(days, desk)),
        Line("desk that keeps the first champion", "hold", axes.path(days, kept)),
    ]
    markers = [_marker(move, axes, days, desk) for move in found.moves if move.stage in _SIGNS]
    chart = axes.chart("Worth", "parts of the first day's", lines, markers, _note(found))
    spots = np.linspace(0.0, 1.0, _TICKS).tolist()
    span = int(days[-1] - days[0])
    ticks = tuple(Tick(100.0 * spot, f"day {round(int(days[0]) + spot * span)}") for spot in spots)
    return Chart(
        chart.title, chart.unit, chart.lines, ticks, chart.y_ticks, chart.markers, chart.legend, chart.note
    )


def _worth(returns: tuple[float, ...]) -> F64:
    worth: F64 = np.concatenate(([1.0], np.cumprod(1.0 + np.array(returns))))
    return worth


def _marker(move: Move, axes: Axes, days: I64, desk: F64) -> Marker:
    sign, style = _SIGNS[move.stage]
    at = int(np.clip(move.day - int(days[0]), 0, len(desk) - 1))
    tip = f"day {move.day}: {move.stage.value}, {move.why}"
    return Marker(100.0 * axes.x(int(days[at])), 100.0 * axes.y(float(desk[at])), sign, style, tip)


def _note(found: Rehearsed) -> str:
    turned = "never changes" if found.change_day is None else f"changes its meaning on day {found.change_day}"
    return f"a made-up market, seed {found.seed}, that {turned}"


_ENVIRONMENT = Environment(
    loader=PackageLoader("tg_actors.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
