"""What must be true before a desk may trade real money: a table of conditions, all of them explicit acts."""

from collections.abc import Callable

from tg_actors.desk.config import DeskConfig, load_venue
from tg_actors.domain.errors import UserError
from tg_actors.execution.venues.connection import Connection, InlineConnection
from tg_actors.market.config import VenueSource

#: Says what is missing, None when nothing is.
Condition = Callable[[DeskConfig, Connection, str | None], str | None]


def _has_a_venue(_: DeskConfig, connection: Connection, __: str | None) -> str | None:
    inline = isinstance(connection, InlineConnection)
    return (
        "its venue is the practice exchange: name one with a connection, such as kraken" if inline else None
    )


def _has_a_shadow(_: DeskConfig, connection: Connection, __: str | None) -> str | None:
    if isinstance(connection, InlineConnection) or connection.read_key is not None:
        return None
    return "nobody watches it: name a read_key, one that cannot trade, in its venue's connection"


def _sees_the_venue(config: DeskConfig, _: Connection, __: str | None) -> str | None:
    if isinstance(config.market.source, VenueSource):
        return None
    return (
        f"its market is {config.market.source.kind}: orders for real money need "
        "source: {kind: venue, exchange: NAME}"
    )


def _has_a_stage(config: DeskConfig, _: Connection, __: str | None) -> str | None:
    return "it has no stage: write stage: micro-100" if config.stage is None else None


def _is_typed(config: DeskConfig, _: Connection, typed: str | None) -> str | None:
    if typed == config.name:
        return None
    return f"say that you mean it: add --live {config.name}"


CONDITIONS: tuple[Condition, ...] = (
    _has_a_venue,
    _has_a_shadow,
    _sees_the_venue,
    _has_a_stage,
    _is_typed,
)


def check_mode(config: DeskConfig, typed: str | None) -> None:
    """Let a paper desk pass, and a live one only when every condition holds.

    Args:
        config: the desk as the flags have changed it.
        typed: the desk's name as a person has typed it on the command line, None when nobody has.

    Raises:
        UserError: a condition does not hold.
    """
    if config.mode == "paper":
        if typed is not None:
            raise UserError(f"desk {config.name!r} trades on paper: leave --live out, or write mode: live")
        return
    connection = load_venue(config).connection
    for condition in CONDITIONS:
        if (missing := condition(config, connection, typed)) is not None:
            raise UserError(f"desk {config.name!r} trades real money, but {missing}")
