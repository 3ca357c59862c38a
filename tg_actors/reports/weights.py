"""Whom a desk that learns has trusted, as a chart of stacked weights."""

from collections.abc import Mapping, Sequence

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.reports.charts import Axes, Chart, Line
from tg_actors.reports.sheet import Sheet

#: Bands that eyes can tell apart; agents beyond are drawn together.
BANDS_MAX = 8
OTHERS = "others"
#: Points of a band: each is the mean weight over its stretch of cycles, as a selection jumps in every cycle.
_POINTS = 240


def weights_chart(sheet: Sheet) -> Chart | None:
    """Return the weights of all agents over time, None of a desk that learns nothing or of a single mark."""
    if not sheet.weights or len(sheet.at_ns) < 2:  # noqa: PLR2004 - a line needs two points
        return None
    bands = _bands(sheet.weights)
    edges = np.linspace(0, len(sheet.at_ns), min(_POINTS, len(sheet.at_ns)) + 1).astype(np.int64)
    lasted = np.diff(edges)
    at_ns = sheet.at_ns[edges[:-1]]
    at_ns[-1] = sheet.at_ns[-1]
    means = {name: np.add.reduceat(weights, edges[:-1]) / lasted for name, weights in bands.items()}
    axes = Axes(int(at_ns[0]), int(at_ns[-1]), 0.0, 1.0, "{:.0%}")
    top, lines = np.zeros(len(at_ns)), []
    for k, (name, band) in enumerate(means.items()):
        top = top + band
        lines.append(Line(name, f"band{k}", axes.path(at_ns, top, filled=True)))
    note = "the most trusted at the bottom; where nothing is drawn nobody counted"
    return axes.chart("Weights of the agents", "part of the decision", lines, note=note)


def _bands(weights: Mapping[str, F64]) -> dict[str, F64]:
    """Return the weights by agent, the most trusted first, the least trusted together where they are many."""
    order = sorted(weights, key=lambda agent: (-float(weights[agent].sum()), agent))
    if len(order) <= BANDS_MAX:
        return {agent: weights[agent] for agent in order}
    alone, together = order[: BANDS_MAX - 1], order[BANDS_MAX - 1 :]
    return {agent: weights[agent] for agent in alone} | {OTHERS: _sum([weights[agent] for agent in together])}


def _sum(rows: Sequence[F64]) -> F64:
    total: F64 = np.sum(rows, axis=0)
    return total
