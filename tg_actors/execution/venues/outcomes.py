"""What an answer of a venue means: one table, and everything that is not in it is UNKNOWN.

REJECTED and ABSENT end an order's life, so they need the venue's own documented words in a body of its
own form, under the HTTP status that belongs to them. An HTTP status alone proves nothing: proxies,
load balancers and edge caches answer in the venue's name after the order has gone through.
"""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from tg_actors.domain.errors import AccountSuspect, VenueError


class Fate(StrEnum):
    """What we know after an answer; UNKNOWN means: look it up, never send again."""

    OPEN = "OPEN"
    REJECTED = "REJECTED"
    ABSENT = "ABSENT"
    UNKNOWN = "UNKNOWN"


class Verb(StrEnum):
    """What was asked."""

    PLACE = "place"
    CANCEL = "cancel"
    LOOK_UP = "look up"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, stripped to what can prove something.

    Attributes:
        status: HTTP status, empty when no whole answer came.
        words: codes and texts of the venue in a body of its own form; empty when it said nothing that
            we understand. ``("ok",)`` is an order object with an id.
        error: class of the client's exception, empty when the client reported success.
    """

    status: str = ""
    words: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        parts = (f"HTTP {self.status}" if self.status else "no answer", self.error, "; ".join(self.words))
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The meaning of an answer; ``suspect``: the account may not be ours alone, the desk halts."""

    fate: Fate
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of answer. ``venue``, ``verb``, ``status`` and ``word`` are shell patterns; all must match.

    A row without a ``word`` speaks of answers whatever was said in them.
    """

    name: str
    fate: Fate
    because: str
    venue: str = "*"
    verb: str = "*"
    status: str = "*"
    word: str = ""
    suspect: bool = False


def _rejected(venue: str, status: str, word: str, because: str, *, suspect: bool = False) -> Row:
    """The venue's documented refusal of a new order."""
    name = f"{venue} {word.strip('*').strip()}"
    return Row(name, Fate.REJECTED, because, venue, Verb.PLACE, status, word, suspect=suspect)


def _unknown(venue: str, status: str, word: str, because: str, *, suspect: bool = False) -> Row:
    """Words of the venue that say nothing about this order, or something else than they seem to."""
    name = f"{venue} {word.strip('*').strip()}"
    return Row(name, Fate.UNKNOWN, because, venue, "*", status, word, suspect=suspect)


def _absent(venue: str, verb: Verb, status: str, word: str, because: str) -> Row:
    """The venue's documented word for: no such order among those asked for."""
    return Row(f"{venue} {verb} {word.strip('*').strip()}", Fate.ABSENT, because, venue, verb, status, word)


_FUNDS = "the account cannot pay for it"
_FORM = "the request is malformed for this instrument"
_KEY = "our key is refused: what became of the order cannot be read from that"

_KRAKEN: tuple[Row, ...] = (
    _rejected("kraken", "200", "EOrder:Insufficient funds*", _FUNDS),
    _rejected("kraken", "200", "EOrder:Insufficient margin*", _FUNDS),
    _rejected("kraken", "200", "EOrder:Order minimum not met*", _FORM),
    _rejected("kraken", "200", "EOrder:Cost minimum not met*", _FORM),
    _rejected("kraken", "200", "EOrder:Tick size check failed*", _FORM),
    _rejected("kraken", "200", "EOrder:Invalid price*", _FORM),
    _rejected("kraken", "200", "EOrder:Invalid order*", _FORM),
    _rejected("kraken", "200", "EOrder:Post only order*", "it would have taken liquidity"),
    _rejected("kraken", "200", "EOrder:Reduce only*", "there is no position to reduce"),
    _rejected("kraken", "200", "EOrder:Orders limit exceeded*", "too many open orders"),
    _rejected("kraken", "200", "EOrder:Positions limit exceeded*", "too many positions"),
    _rejected("kraken", "200", "EOrder:Rate limit exceeded*", "the engine's own order counter refuses it"),
    _rejected("kraken", "200", "EOrder:Trading agreement required*", "the account may not trade this"),
    _rejected("kraken", "200", "EGeneral:Invalid arguments*", _FORM),
    _rejected("kraken", "200", "EQuery:Unknown asset pair*", _FORM),
    _rejected("kraken", "200", "EService:Deadline elapsed*", "it arrived after its deadline"),
    _rejected("kraken", "200", "EService:Market in cancel_only mode*", "the market takes no new order"),
    _rejected("kraken", "200", "EService:Market in post_only mode*", "the market takes no taker"),
    _rejected("kraken", "200", "EService:Market in limit_only mode*", "the market takes limits only"),
    _rejected(
        "kraken",
        "200",
        "EAPI:Invalid nonce*",
        "a newer request was seen: somebody else may use our key",
        suspect=True,
    ),
    Row(
        "kraken nonce elsewhere",
        Fate.UNKNOWN,
        "a newer request was seen on our key",
        "kraken",
        word="EAPI:Invalid nonce*",
        suspect=True,
    ),
    _unknown("kraken", "*", "EAPI:Invalid key*", _KEY, suspect=True),
    _unknown("kraken", "*", "EAPI:Invalid signature*", _KEY, suspect=True),
    _unknown("kraken", "*", "EGeneral:Permission denied*", _KEY, suspect=True),
    _unknown("kraken", "*", "ETrade:User Locked*", "the account is locked", suspect=True),
    _unknown("kraken", "*", "EOrder:Duplicate*", "an order with our id exists: look it up"),
    _unknown("kraken", "*", "EGeneral:Duplicate*", "an order with our id exists: look it up"),
    _unknown("kraken", "*", "EService:Unavailable*", "says nothing about the order"),
    _unknown("kraken", "*", "EService:Busy*", "says nothing about the order"),
    _unknown("kraken", "*", "EService:Timeout*", "says nothing about the order"),
    _unknown("kraken", "*", "EGeneral:Internal error*", "says nothing about the order"),
    _unknown("kraken", "*", "EGeneral:Temporary lockout*", "says nothing about the order"),
    _unknown("kraken", "*", "EGeneral:Too many requests*", "the edge's answer, not the engine's"),
    _unknown("kraken", "*", "EAPI:Rate limit exceeded*", "the edge's answer, not the engine's"),
    _absent("kraken", Verb.CANCEL, "200", "EOrder:Unknown order*", "nothing rests under this id"),
    _absent("kraken", Verb.CANCEL, "200", "EOrder:Cancel pending*", "it is being cancelled"),
)

_BINANCE: tuple[Row, ...] = (
    _rejected("binance", "4??", "-2010 Account has insufficient balance*", _FUNDS),
    _unknown("binance", "*", "-2010 Duplicate order sent*", "an order with our id exists: look it up"),
    _rejected("binance", "4??", "-2010 Order would immediately*", "it would have taken liquidity"),
    _rejected("binance", "4??", "-2010 Stop price would trigger immediately*", "its trigger has passed"),
    _rejected("binance", "4??", "-2010 Order would trigger immediately*", "its trigger has passed"),
    _rejected("binance", "4??", "-2010 Market is closed*", "the market takes no new order"),
    _rejected("binance", "4??", "-2010 This symbol is not permitted*", "the account may not trade this"),
    _rejected("binance", "4??", "-2010 This action is disabled*", "the account may not trade this"),
    _rejected("binance", "4??", "-1013 *", _FORM),
    _rejected("binance", "4??", "-110? *", _FORM),
    _rejected("binance", "4??", "-111? *", _FORM),
    _rejected("binance", "4??", "-112? *", _FORM),
    _rejected("binance", "4??", "-113? *", _FORM),
    _rejected("binance", "4??", "-1015 *", "the engine's own order counter refuses it"),
    _rejected("binance", "4??", "-1021 *", "it arrived outside its receive window"),
    _unknown("binance", "*", "-1022 *", _KEY, suspect=True),
    _unknown("binance", "*", "-1002 *", _KEY, suspect=True),
    _unknown("binance", "*", "-2014 *", _KEY, suspect=True),
    _unknown("binance", "*", "-2015 *", _KEY, suspect=True),
    _unknown("binance", "*", "-1000 *", "says nothing about the order"),
    _unknown("binance", "*", "-1001 *", "says nothing about the order"),
    _unknown("binance", "*", "-1003 *", "the edge's answer, not the engine's"),
    _unknown("binance", "*", "-1006 *", "execution status unknown, in Binance's words"),
    _unknown("binance", "*", "-1007 *", "execution status unknown, in Binance's words"),
    _unknown("binance", "*", "-1008 *", "says nothing about the order"),
    _unknown("binance", "*", "-1016 *", "says nothing about the order"),
    _absent("binance", Verb.CANCEL, "4??", "-2011 Unknown order sent*", "nothing rests under this id"),
    _absent("binance", Verb.LOOK_UP, "4??", "-2013 *", "no order under this id"),
)

_ALPACA: tuple[Row, ...] = (
    _unknown("alpaca", "*", "* *client_order_id*", "an order with our id exists: look it up"),
    _rejected("alpaca", "403", "40310000 *", "buying power or holdings do not suffice"),
    _rejected("alpaca", "422", "422????? *", _FORM),
    _rejected("alpaca", "422", "4001000? *invalid*", _FORM),
    _unknown("alpaca", "*", "40110000 *", _KEY, suspect=True),
    _unknown("alpaca", "403", "forbidden*", _KEY, suspect=True),
    _unknown("alpaca", "*", "42910000 *", "the edge's answer, not the engine's"),
    _absent("alpaca", Verb.LOOK_UP, "404", "40410000 *", "no order under this id"),
    _absent("alpaca", Verb.CANCEL, "404", "40410000 *", "nothing rests under this id"),
    _absent("alpaca", Verb.CANCEL, "422", "42210000 *", "it has ended"),
)

_ANY: tuple[Row, ...] = (
    Row("accepted", Fate.OPEN, "an order object with the venue's id", status="200", word="ok"),
    Row("unauthorized", Fate.UNKNOWN, _KEY, status="401", suspect=True),
    Row("rate limited", Fate.UNKNOWN, "no documented refusal of this order", status="429"),
    Row("banned", Fate.UNKNOWN, "no documented refusal of this order", status="418"),
    Row("gateway timeout", Fate.UNKNOWN, "the order may have gone through", status="504"),
    Row("server error", Fate.UNKNOWN, "the order may have gone through", status="5??"),
    Row("bare refusal", Fate.UNKNOWN, "a status without the venue's words proves nothing", status="4??"),
    Row("redirect", Fate.UNKNOWN, "never followed: it would send the order twice", status="3??"),
    Row("senseless success", Fate.UNKNOWN, "HTML, empty, truncated, null: no order id", status="2??"),
    Row("silence", Fate.UNKNOWN, "hang, drip, reset: the order may have gone through", status=""),
    Row("anything else", Fate.UNKNOWN, "what is not listed is not known"),
)

#: Read from the top, the first row that matches decides.
OUTCOMES: tuple[Row, ...] = (*_KRAKEN, *_BINANCE, *_ALPACA, *_ANY)


def judge(venue: str, verb: Verb, answer: Answer) -> Outcome:
    """Say what an answer means. Of several words the weakest decides; one suspicious word suffices."""
    rows = [_row(venue, verb, answer, word) for word in answer.words or ("",)]
    fates = {row.fate for row in rows}
    fate = fates.pop() if len(fates) == 1 else Fate.UNKNOWN
    return Outcome(fate, suspect=any(row.suspect for row in rows))


def trouble(venue: str, verb: Verb, answer: Answer) -> VenueError:
    """The exception for an answer from which nothing follows."""
    kind = AccountSuspect if judge(venue, verb, answer).suspect else VenueError
    return kind(f"{venue} gave no usable answer to {verb!s}: {answer}", retryable=kind is VenueError)


def _row(venue: str, verb: Verb, answer: Answer, word: str) -> Row:
    return next(row for row in OUTCOMES if _matches(row, venue, verb, answer, word))


def _matches(row: Row, venue: str, verb: Verb, answer: Answer, word: str) -> bool:
    pairs = ((row.venue, venue), (row.verb, verb.value), (row.status, answer.status))
    said = not row.word or fnmatchcase(word, row.word)
    return said and all(fnmatchcase(value, pattern) for pattern, value in pairs)


def markdown_table() -> str:
    """The table as Markdown, for ``docs/venues.md``."""
    lines = [
        "| venue | asked | HTTP | the venue's words | becomes | halts | because |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in OUTCOMES:
        cells = (
            _any(row.venue),
            _any(row.verb),
            "none" if row.status == "" else _any(row.status),
            f"`{row.word}`" if row.word else "-",
            row.fate,
            "yes" if row.suspect else "",
            row.because,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _any(pattern: str) -> str:
    return "any" if pattern == "*" else pattern
