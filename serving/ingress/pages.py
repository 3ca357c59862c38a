"""The page, its files and the readable description of the API: fixed files without data, for everybody."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

_WEB = Path(__file__).parents[1] / "web"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Addresses, and the files behind them.
PAGES = {
    "/": "index.html",
    "/docs": "docs.html",
    "/web/style.css": "style.css",
    "/web/app.js": "app.js",
    "/web/charts.js": "charts.js",
    "/web/stream.js": "stream.js",
    "/web/docs.js": "docs.js",
    "/web/icon.svg": "icon.svg",
}


def add_pages(app: FastAPI) -> frozenset[str]:
    """Serve the pages from memory; returns every address that needs no token."""
    for address, name in PAGES.items():
        app.add_api_route(address, _page(_WEB / name), methods=["GET", "HEAD"], include_in_schema=False)
    return frozenset({*PAGES, "/openapi.json"})


def _page(path: Path) -> Callable[[], Awaitable[Response]]:
    content, kind = path.read_bytes(), _TYPES[path.suffix]

    async def page() -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return page
