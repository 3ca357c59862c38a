"""What agents ask of a snapshot beyond the newest bar and its indicators."""

from pydantic import Field

from tg_actors.domain.message import Message


class MarketNeeds(Message):
    """What agents ask of a snapshot beyond the newest bar and its indicators; nothing by default.

    ``window_bars`` of the timeframe; ``days`` whole UTC days; ``references`` watched and not traded, by
    their short names (``SPY``), as many days of each; ``facts``: any at all; ``depth_levels`` of the order
    book. What the market's source does not have is missing in the snapshot: that is no error.
    """

    window_bars: int = Field(default=0, ge=0)
    days: int = Field(default=0, ge=0)
    references: tuple[str, ...] = ()
    facts: bool = False
    depth_levels: int = Field(default=0, ge=0)
