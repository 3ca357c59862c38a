"""One prediction for a caller of gRPC: the same tokens, limits, policies and refusals as over HTTP."""

from serving.ingress.errors import Refused
from serving.ingress.guard import check_scope, owner_of
from serving.ports import PolicyPort
from tg_actors.client.predict_wire import Question, answer_bytes, parse_question
from tg_actors.client.words import COLUMNS_MAX, ROWS_MAX
from tg_actors.rl.manifest import model_id
from tg_actors.runtime.tokens import Scope, TokenFile

#: As the header ``X-Request-Id`` and the path of the HTTP API.
_REQUEST_ID_CHARS_MAX = 128
_MODEL_CHARS_MAX = 64
_ADVICE = "correct it; tg_actors/client/predict.proto says what is allowed"


class PredictRoom:
    """Answers questions of ``predict.proto``."""

    def __init__(self, policies: PolicyPort, tokens: TokenFile) -> None:
        self._policies, self._tokens = policies, tokens

    async def answer(self, authorization: str, body: bytes) -> bytes:
        """Return the answer to a question, both as they are sent; the token is looked at first.

        Raises:
            Refused: no good token, no such scope, or no good question.
            UserError, OutsideError: as the policies said.
        """
        check_scope(owner_of(self._tokens, authorization), Scope.READ)
        asked = _checked(body)
        model = model_id(asked.model, asked.version) if asked.version else asked.model
        told = await self._policies.predict(model, asked.observed, asked.request_id)
        return answer_bytes(model_id(told["model"], told["version"]), told["role"], told["actions"])


def _checked(body: bytes) -> Question:
    try:
        asked = parse_question(body)
    except ValueError as error:
        raise Refused(400, "bad_protobuf", str(error), _ADVICE) from error
    too_large = {
        f"model: more than {_MODEL_CHARS_MAX} characters": len(asked.model) > _MODEL_CHARS_MAX,
        f"request_id: more than {_REQUEST_ID_CHARS_MAX} characters": len(asked.request_id)
        > _REQUEST_ID_CHARS_MAX,
        f"columns: more than {COLUMNS_MAX}": asked.observed.shape[1] > COLUMNS_MAX,
        f"observed: more than {ROWS_MAX} rows": len(asked.observed) > ROWS_MAX,
    }
    for sentence, wrong in too_large.items():
        if wrong:
            raise Refused(422, "bad_request", sentence, _ADVICE)
    return asked
