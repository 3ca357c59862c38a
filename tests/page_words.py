"""The page in a frame of a given width, held until it has drawn what a test waits for."""

import asyncio
import json
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

#: The window's load is held back by a picture that comes once the frame says that it is ready.
_FRAME = """<!doctype html><body style="margin:0"><img src="/held" hidden>
<script>
sessionStorage.setItem('triplegain.token', %(token)s);
const f = document.createElement('iframe');
f.width = %(width)d; f.height = %(height)d; f.style.border = 0; f.src = %(path)s;
document.body.append(f);
const look = setInterval(() => {
  const d = f.contentDocument, w = f.contentWindow;
  if (!d || !(%(ready)s)) return;
  clearInterval(look);
  document.title = JSON.stringify(%(told)s);
  fetch('/release');
}, 50);
</script>"""


class Framed:
    """An application that also shows its own pages in a frame: ``/frame?path=/&width=360&ready=…&told=…``.

    ``ready`` and ``told`` are JavaScript over ``d``, the frame's document, and ``w``, its window: when the
    picture may be taken, and what the title of the outer page then says.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token
        self._drawn = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = {"/frame": self._frame, "/held": self._held, "/release": self._release}.get(
            scope.get("path", "")
        )
        if answer is None:
            await self._app(scope, receive, send)
            return
        body = await answer(scope)
        headers = [(b"content-type", b"text/html"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    async def _frame(self, scope: Scope) -> str:
        asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self._drawn = asyncio.Event()
        return _FRAME % {
            "token": json.dumps(asked.get("token", self._token)),
            "width": int(asked["width"]),
            "height": int(asked.get("height", "1400")),
            "path": json.dumps(asked.get("path", "/")),
            "ready": asked["ready"],
            "told": asked.get("told", "''"),
        }

    async def _held(self, _: Scope) -> str:
        await self._drawn.wait()
        return ""

    async def _release(self, _: Scope) -> str:
        self._drawn.set()
        return ""
