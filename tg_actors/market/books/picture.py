"""A film of a book as one SVG: resting size as a heat map, walls as lines, pulled orders as crosses. Pure."""

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.market.books.film import Film
from tg_actors.market.books.messages import ASK, BID
from tg_actors.market.books.tracker import LargeOrder

_WIDTH, _HEIGHT = 1120, 660
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 64, 40, 92
_ROWS = 240
#: Labels of time that fit side by side.
_LABELS = 12
#: The picture shows so much above and below the path of the price.
_MARGIN_FRAC = 6e-4
#: Orders that stood at least so long are lines, others small crosses.
_LINE_NS = 4 * 10**9
#: So many of the largest say how large they are.
_LABELLED, _LABEL_WIDTH = 8, 40
_SECOND_NS = 10**9
_FONTS = "system-ui, Segoe UI, Helvetica, Arial, sans-serif"
_BIDS, _ASKS = (26, 105, 178), (204, 85, 20)
_PULLED, _TRADED, _INK, _FAINT = "#c4122f", "#0a7d36", "#1c2430", "#6b7685"


def draw(film: Film) -> str:
    """Return the picture as SVG text; equal films give equal text."""
    frame = _Frame(film)
    box = f'x="{_LEFT}" y="{_TOP}" width="{frame.width}" height="{frame.height}"'
    view = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="{_FONTS}" role="img"'
    crisp = 'preserveAspectRatio="none" style="image-rendering:pixelated"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view}>',
        f"<title>{escape(film.title)}: order book, large orders, pulled orders</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_heading(film),
        f'<image {box} {crisp} href="{_heat_map(film, frame)}"/>',
        *frame.axes(),
        *_paths(film, frame),
        *_marks(film.orders, frame),
        *_labels(film, frame),
        f'<rect {box} fill="none" stroke="{_FAINT}"/>',
        *_legend(film),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Frame:
    """Where times and prices lie on the paper."""

    def __init__(self, film: Film) -> None:
        best = film.levels[:, 0, :, 0]
        self.width, self.height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        self.first_ns, self.last_ns = int(film.at_ns[0]), int(film.at_ns[-1])
        self.low = float(np.nanmin(best)) * (1.0 - _MARGIN_FRAC)
        self.high = float(np.nanmax(best)) * (1.0 + _MARGIN_FRAC)

    def x(self, at_ns: float) -> float:
        share = (at_ns - self.first_ns) / (self.last_ns - self.first_ns)
        return round(_LEFT + min(max(share, 0.0), 1.0) * self.width, 1)

    def y(self, price: float) -> float:
        return round(_TOP + (self.high - price) / (self.high - self.low) * self.height, 1)

    def shows(self, price: float) -> bool:
        return self.low < price < self.high

    def axes(self) -> Iterator[str]:
        bottom = _TOP + self.height
        for price in _round_steps(self.low, self.high, 8):
            y = self.y(price)
            yield f'<path d="M{_LEFT - 5} {y}H{_LEFT}" stroke="{_FAINT}"/>'
            yield _text(_LEFT - 9, y + 4, f"{price:,.10g}", size=12, anchor="end")
        seconds = (self.last_ns - self.first_ns) / _SECOND_NS
        step = next((one for one in (1, 5, 10, 15, 30, 60, 120, 300, 600) if seconds / one <= _LABELS), 3_600)
        first = -(-self.first_ns // (step * _SECOND_NS)) * step
        for second in range(first, self.last_ns // _SECOND_NS + 1, step):
            x = self.x(second * _SECOND_NS)
            yield f'<path d="M{x} {bottom}v5" stroke="{_FAINT}"/>'
            clock = datetime.fromtimestamp(second, UTC).strftime("%H:%M:%S")
            yield _text(x, bottom + 19, clock, size=12, anchor="middle")


def _heading(film: Film) -> Iterator[str]:
    first = datetime.fromtimestamp(int(film.at_ns[0]) // _SECOND_NS, UTC).strftime("%H:%M:%S")
    last = datetime.fromtimestamp(int(film.at_ns[-1]) // _SECOND_NS, UTC).strftime("%H:%M:%S")
    yield _text(_LEFT, 30, film.title, size=19, weight=600)
    trades = "trades known" if film.knows_trades else "trades not known"
    yield _text(_LEFT, 50, f"{first} to {last} UTC, replayed from the recorded deltas; {trades}", fill=_FAINT)


def _legend(film: Film) -> Iterator[str]:
    y = _HEIGHT - 34
    fates = [order.fate for order in film.orders]
    pulled, traded = fates.count("pulled"), fates.count("traded")
    items = (
        (f'<rect x="0" y="-10" width="16" height="12" fill="rgb{_BIDS}"/>', "bids resting"),
        (f'<rect x="0" y="-10" width="16" height="12" fill="rgb{_ASKS}"/>', "asks resting"),
        (f'<path d="M0 -4h18" stroke="{_INK}" stroke-width="1.6"/>', "best bid and ask"),
        (f'<path d="M0 -4h18" stroke="{_INK}" stroke-width="3.5"/>', "large order, stands 4 s or more"),
        (f'<g transform="translate(8 -4)">{_cross(4.5)}</g>', f"pulled ({pulled:,})"),
        (f'<circle cx="8" cy="-4" r="4.5" fill="{_TRADED}"/>', f"traded ({traded:,})"),
    )
    x = _LEFT
    for glyph, words in items:
        yield f'<g transform="translate({x} {y})">{glyph}</g>'
        yield _text(x + 25, y, words, size=13)
        x += 25 + 7 * len(words) + 24
    scale = "Darker: more size, on a scale of logarithms."
    note = f"Small crosses: pulled within 4 s. {scale} Large is an order that alone would make a wall."
    yield _text(_LEFT, _HEIGHT - 12, note, size=12, fill=_FAINT)


def _heat_map(film: Film, frame: _Frame) -> str:
    """Resting size by second and price band as a PNG in a data address."""
    seconds = len(film.at_ns)
    size = np.zeros((2, _ROWS, seconds))
    price, rests = film.levels[:, 0], film.levels[:, 1]
    row = (frame.high - price) / (frame.high - frame.low) * _ROWS
    for side in (BID, ASK):
        known = np.isfinite(rests[:, side]) & (row[:, side] >= 0.0) & (row[:, side] < _ROWS)
        column, level = np.nonzero(known)
        np.add.at(size[side], (row[column, side, level].astype(np.int64), column), rests[column, side, level])
    low, high = np.quantile(size[size > 0.0], (0.3, 0.985))
    # A book of equal sizes is drawn in one shade.
    shades = max(float(np.log(high / low)), 1e-9)
    with np.errstate(divide="ignore"):
        depth = np.clip(np.log(size / low) / shades, 0.0, 1.0)
    pixels = np.full((_ROWS, seconds, 3), 255.0)
    for side, colour in ((BID, _BIDS), (ASK, _ASKS)):
        pixels -= depth[side][..., np.newaxis] * 0.92 * (255.0 - np.array(colour))
    return (
        "data:image/png;base64," + base64.b64encode(_png(np.clip(pixels, 0, 255).astype(np.uint8))).decode()
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode ``(rows, columns, 3)`` as PNG (ISO/IEC 15948): filter 0, one IDAT."""
    rows, columns, _ = pixels.shape
    raw = np.concatenate((np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)), axis=1).tobytes()
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _paths(film: Film, frame: _Frame) -> Iterator[str]:
    """The best bid and ask, as steps."""
    for side in (BID, ASK):
        best: F64 = film.levels[:, 0, side, 0]
        points = [
            (frame.x(at), frame.y(price))
            for at, price in zip(film.at_ns.tolist(), best.tolist(), strict=True)
        ]
        line = f"M{points[0][0]} {points[0][1]}" + "".join(f"H{x}V{y}" for x, y in points[1:])
        yield f'<path d="{line}" fill="none" stroke="{_INK}" stroke-width="1.3"/>'


def _marks(orders: Iterable[LargeOrder], frame: _Frame) -> Iterator[str]:
    """Lines for what stood, small crosses for what only flickered; the largest on top."""
    small = []
    for order in sorted(orders, key=lambda one: one.size):
        if not frame.shows(order.price):
            continue
        end_ns = order.until_ns if order.until_ns is not None else frame.last_ns
        x, y = frame.x(end_ns), frame.y(order.price)
        if end_ns - order.since_ns < _LINE_NS:
            if order.fate == "pulled":
                small.append(f"M{x - 1.6} {y - 1.6}l3.2 3.2m0 -3.2l-3.2 3.2")
            continue
        x_0 = frame.x(order.since_ns)
        line, size = f'<path d="M{x_0} {y}H{x}"', f"<title>{order.size:,.6g}</title>"
        yield f'{line} stroke="#ffffff" stroke-width="5" opacity="0.75"/>'
        yield f'{line} stroke="{_INK}" stroke-width="3">{size}</path>'
        if order.fate == "pulled":
            yield f'<g transform="translate({x} {y})">{_cross(4.5)}</g>'
        elif order.fate == "traded":
            yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{_TRADED}" stroke="#ffffff"/>'
    if small:
        yield f'<path d="{"".join(small)}" stroke="{_PULLED}" stroke-width="0.8" opacity="0.55" fill="none"/>'


def _labels(film: Film, frame: _Frame) -> Iterator[str]:
    """The size of the largest orders that stood, beside where they began."""
    stood = [
        order for order in film.orders if _life_ns(order, frame) >= _LINE_NS and frame.shows(order.price)
    ]
    for order in sorted(stood, key=lambda one: one.size, reverse=True)[:_LABELLED]:
        x, y = frame.x(order.since_ns), frame.y(order.price) - 6
        at_edge = x > _WIDTH - 3 * _LABEL_WIDTH
        words = f"{order.size:,.3g} {film.base}"
        yield (
            f'<text x="{_WIDTH - _RIGHT - 4 if at_edge else x + 4}" y="{y}" font-size="12" font-weight="600" '
            f'text-anchor="{"end" if at_edge else "start"}" fill="{_INK}" stroke="#ffffff" '
            f'stroke-width="3" paint-order="stroke">{escape(words)}</text>'
        )


def _life_ns(order: LargeOrder, frame: _Frame) -> int:
    return (frame.last_ns if order.until_ns is None else order.until_ns) - order.since_ns


def _cross(r: float) -> str:
    shape = f"M{-r} {-r}L{r} {r}M{-r} {r}L{r} {-r}"
    return (
        f'<path d="{shape}" stroke="#ffffff" stroke-width="4.5"/>'
        f'<path d="{shape}" stroke="{_PULLED}" stroke-width="2.2"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    fill: str = _INK,
    anchor: str = "start",
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def _round_steps(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers between two."""
    rough = (high - low) / count
    ten = 10.0 ** np.floor(np.log10(rough))
    step = float(next(ten * one for one in (1, 2, 5, 10) if ten * one >= rough))
    first = int(np.ceil(low / step))
    return [k * step for k in range(first, int(np.floor(high / step)) + 1)]
