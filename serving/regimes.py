"""The market's regime for bars that the caller brings: the desk's own filter, forward only."""

import numpy as np

from tg_actors.domain.blocks import F64, MarketSnapshot, Window
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.errors import UserError
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter

#: Instruments of one request.
INSTRUMENTS_MAX = 256
_COLUMNS = 5


class RegimeReplica:
    """Computes each answer from its request alone; any replica gives the same."""

    def __init__(self, config: RegimeConfig | None = None) -> None:
        self._config = config or RegimeConfig()
        self._bars_max = self._config.needs().window_bars

    async def posterior(self, bar_ns: int, end_ns: int, ohlcv: F64) -> RegimeView | None:
        """Return the filtered regime at ``end_ns`` of bars ``(w, n, 5)``, oldest first.

        Only the newest bars that the filter looks at are used: 1,024 as it stands.

        Raises:
            UserError: the bars have another shape, or the times are none.
        """
        snapshot = snapshot_of(bar_ns, end_ns, np.asarray(ohlcv, dtype=np.float64), self._bars_max)
        return RegimeFilter(self._config).view(snapshot)


def snapshot_of(bar_ns: int, end_ns: int, ohlcv: F64, bars_max: int) -> MarketSnapshot:
    """Return what the filter reads of a snapshot: its window.

    Raises:
        UserError: as of :meth:`RegimeReplica.posterior`.
    """
    if ohlcv.ndim != 3 or ohlcv.shape[2] != _COLUMNS or not 1 <= ohlcv.shape[1] <= INSTRUMENTS_MAX:  # noqa: PLR2004 - bars, instruments, columns
        raise UserError(
            f"bars are (bars, 1 to {INSTRUMENTS_MAX} instruments, {_COLUMNS} columns), not {ohlcv.shape}"
        )
    if bar_ns <= 0 or end_ns <= 0 or end_ns % bar_ns:
        raise UserError("end_ns is the close of the newest bar: a whole number of bar_ns above 0")
    recent = ohlcv[-bars_max:]
    n = recent.shape[1]
    names = tuple(f"instrument_{k}" for k in range(n))
    return MarketSnapshot(
        cycle=0,
        at_ns=end_ns,
        bar_ns=bar_ns,
        symbols=names,
        ohlcv=recent[-1] if len(recent) else np.full((n, _COLUMNS), np.nan),
        bid=np.full(n, np.nan),
        ask=np.full(n, np.nan),
        close_ns=np.full(n, end_ns, dtype=np.int64),
        bars_seen=np.full(n, len(recent), dtype=np.int64),
        feature_names=(),
        features=np.empty((n, 0)),
        window=Window(bar_ns=bar_ns, end_ns=end_ns, names=names, ohlcv=recent),
    )
