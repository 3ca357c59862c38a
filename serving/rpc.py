"""The gRPC server of one process, on the loopback only.

Not Ray Serve's own proxy: that one listens on every interface, takes messages of 2 GiB before anybody has
looked at a token, and tells whoever asks what is deployed (docs/serving.md).
"""

import asyncio
import logging
from typing import Any

import grpc

from serving.ingress.errors import as_refused
from serving.ingress.guard import BODY_BYTES_MAX
from serving.ingress.predict import PredictRoom
from tg_actors.client.predict_wire import CODES, METHOD, PACKAGE, REFUSAL_KEY, SERVICE
from tg_actors.client.words import Problem, Refusal
from tg_actors.domain.errors import OutsideError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
#: Questions in work at once; whoever comes beyond hears RESOURCE_EXHAUSTED.
_CALLS_MAX = 256
#: A replica before us may hold the port until it has ended.
_BIND_TRIES, _BIND_AGAIN_S = 50, 0.1
#: Questions that are being answered when we end get this long.
_GRACE_S = 2.0
#: Of a sentence: the trailer of a status holds it twice, a character may take 12 bytes, and 8 KiB pass.
_CHARS_MAX = 240
_INTERNAL = 500


class RpcServer:
    """Serves a :class:`PredictRoom`."""

    def __init__(self, room: PredictRoom) -> None:
        self._room = room
        # One process a port: two that share it would answer by turns, each with its own tokens.
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", BODY_BYTES_MAX)]
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=_CALLS_MAX)
        handler = grpc.unary_unary_rpc_method_handler(self._predict)  # bytes in: the token is looked at first
        service = grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", {METHOD: handler})
        self._server.add_generic_rpc_handlers((service,))
        self._ended: asyncio.Task[bool] | None = None
        self.address = ""

    async def start(self, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OutsideError: somebody else has the port.
        """
        for _ in range(_BIND_TRIES):
            try:
                bound = self._server.add_insecure_port(f"{HOST}:{port}")
                break
            except RuntimeError:  # gRPC's word for a port that is taken
                await asyncio.sleep(_BIND_AGAIN_S)
        else:
            raise OutsideError(
                f"cannot listen on {HOST}:{port}, somebody else does: put another grpc_port into "
                "configs/serve.yaml",
                retryable=True,
            )
        await self._server.start()
        self._ended = asyncio.get_running_loop().create_task(self._server.wait_for_termination())
        self.address = f"{HOST}:{bound}"

    async def stop(self) -> None:
        """Take no more questions, and answer those that have come."""
        await self._server.stop(_GRACE_S)

    @property
    def has_ended(self) -> bool:
        """Whether it answers no more."""
        return self._ended is None or self._ended.done()

    async def _predict(self, body: bytes, context: Any) -> bytes:
        given = (value for name, value in context.invocation_metadata() if name == "authorization")
        try:
            return await self._room.answer(str(next(given, "")), body)
        except Exception as error:  # noqa: BLE001 - like any server's last resort
            refused = as_refused(error)
            if refused.status == _INTERNAL:
                _log.error("a prediction failed", exc_info=error)
        said = str(refused)[:_CHARS_MAX]
        problem = Problem(code=refused.code, message=said, what_to_do=refused.what_to_do[:_CHARS_MAX])
        trailer = ((REFUSAL_KEY, Refusal(error=problem).model_dump_json().encode()),)
        await context.abort(grpc.StatusCode[CODES[refused.status]], said, trailer)
        raise AssertionError("abort() raises")
