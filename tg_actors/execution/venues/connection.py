"""Which account the executor trades on, and through which door: the ``connection`` of a desk file."""

from typing import Annotated, Literal

from pydantic import Field

from tg_actors.domain.message import Message

#: A key file's name: ``TG_HOME/keys/NAME.yaml``.
KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
#: An address without path, user or password: those would end up in logs.
Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?$")]


class OperatorDoor(Message):
    """The operator's door of a *stepped* practice exchange: its market waits until the desk says go.

    ``url`` is the server's root; the secret of the key file ``key`` is the operator's token.
    """

    url: Url
    key: KeyName


class InlineConnection(Message):
    """The practice exchange in the executor's own process; no key, no network."""

    kind: Literal["inline"] = "inline"


class CcxtConnection(Message):
    """An account at Kraken or Binance through ccxt.

    Attributes:
        exchange: whose dialect is spoken; also the venue's name in the journal.
        key: name of the key file.
        read_key: name of a key file whose key cannot trade: the shadow reads the venue with it; None is
            a desk without a shadow.
        url: another address that speaks the same dialect, for instance a practice exchange; None is
            the real venue.
        streams: whether fills are also heard from private streams; without them they are asked for.
        nonce_fence: Kraken only, cannot be undone for a key: nonces carry the executor's epoch, so
            that the venue itself refuses an older executor.
        operator: the door of a stepped practice exchange, None anywhere else.
        venue_account: the account number that the venue must show, None to pin the first one seen.
    """

    kind: Literal["ccxt"] = "ccxt"
    exchange: Literal["kraken", "binance"]
    key: KeyName
    read_key: KeyName | None = None
    url: Url | None = None
    streams: bool = False
    nonce_fence: bool = False
    operator: OperatorDoor | None = None
    venue_account: str | None = None


class AlpacaConnection(Message):
    """A crypto account at Alpaca through alpaca-py; fields as for :class:`CcxtConnection`.

    ``paper`` chooses Alpaca's own paper trading when no ``url`` is given.
    """

    kind: Literal["alpaca"] = "alpaca"
    key: KeyName
    read_key: KeyName | None = None
    url: Url | None = None
    paper: bool = True
    operator: OperatorDoor | None = None
    venue_account: str | None = None


Connection = Annotated[InlineConnection | CcxtConnection | AlpacaConnection, Field(discriminator="kind")]
