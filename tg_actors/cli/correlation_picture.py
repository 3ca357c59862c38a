"""A correlation matrix as an SVG file that stands by itself. Pure text."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

_CELL, _LEFT, _TOP = 46, 96, 76
#: From -1 over 0 to 1: blue, white, red.
_COLD, _WARM = (43, 110, 184), (196, 64, 48)
_INK_FROM = 0.75


def draw(
    title: str,
    names: Sequence[str],
    matrix: Sequence[Sequence[float | None]],
    clusters: Sequence[int],
) -> str:
    """Return the picture; cells of one cluster carry a frame. Names are in the order of the matrix."""
    n = len(names)
    width, height = _LEFT + n * _CELL + 12, _TOP + n * _CELL + 12
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="13"'
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="24" font-size="16" fill="#222">{escape(title)}</text>',
    ]
    for k, name in enumerate(names):
        short, middle = escape(name.partition("/")[0]), k * _CELL + _CELL // 2
        shapes += [
            f'<text x="{_LEFT - 8}" y="{_TOP + middle + 5}" text-anchor="end" fill="#222">{short}</text>',
            f'<text x="{_LEFT + middle}" y="{_TOP - 8}" text-anchor="middle" fill="#222">{short}</text>',
        ]
        shapes += [_cell(k, m, rho, joined=_joined(clusters, k, m)) for m, rho in enumerate(matrix[k])]
    return "\n".join((*shapes, "</svg>", ""))


def _joined(clusters: Sequence[int], row: int, column: int) -> bool:
    inside = max(row, column) < len(clusters) and row != column
    return inside and clusters[row] == clusters[column] >= 0


def _cell(row: int, column: int, rho: float | None, *, joined: bool) -> str:
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    if rho is None:
        return f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="#eee"/>'
    far = _WARM if rho >= 0 else _COLD
    fill = ",".join(str(round(255 + (tone - 255) * abs(rho))) for tone in far)
    ink = "#fff" if abs(rho) > _INK_FROM else "#222"
    frame = ' stroke="#222" stroke-width="2.5"' if joined else ' stroke="#fff" stroke-width="1"'
    inset = 2 if joined else 0
    size, middle = _CELL - 2 * inset, _CELL // 2
    return (
        f'<rect x="{x + inset}" y="{y + inset}" width="{size}" height="{size}" fill="rgb({fill})"{frame}/>'
        f'<text x="{x + middle}" y="{y + middle + 5}" text-anchor="middle" fill="{ink}">{rho:.2f}</text>'
    )
