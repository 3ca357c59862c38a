"""What went wrong with the market's data: the message that monitoring and people read."""

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.market.border import Rejection


class InstrumentHealth(Message):
    """Data quality of one instrument.

    ``bars_accepted`` counts every bar since the last seek, warm-up history included. ``bars_missing``
    are the holes between them. ``rejected`` holds refused rows by reason, without zeros. ``age_ns``
    is the time since the newest bar closed, None while there is none.
    """

    symbol: str
    bars_accepted: int = Field(ge=0)
    bars_missing: int = Field(ge=0)
    age_ns: int | None
    rejected: dict[Rejection, int]


class MarketHealth(Message):
    """Data quality of all instruments as known in one cycle."""

    cycle: int
    at_ns: int
    instruments: tuple[InstrumentHealth, ...]

    @property
    def rejected(self) -> int:
        """Refused rows of all instruments and reasons."""
        return sum(count for one in self.instruments for count in one.rejected.values())

    @property
    def bars_missing(self) -> int:
        """Missing bars of all instruments."""
        return sum(one.bars_missing for one in self.instruments)
