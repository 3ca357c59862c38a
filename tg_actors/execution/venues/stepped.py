"""A practice exchange whose market waits for the desk: say which bar to trade, then read the books."""

import time

import requests

from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.market.transport import OneShotSession

#: An exchange that was killed comes back within this; advancing is idempotent and may be repeated.
_PATIENCE_S = 45.0
_CALL_S_MAX = 30.0
_PAUSE_S = 0.25
_OK = 200
_REFUSED = (401, 403)


class Operator:
    """The operator's API of a practice exchange, as far as a desk needs it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/practice/advance"
        self._token = token
        self._session = OneShotSession(_CALL_S_MAX)

    def advance(self, cycle: int) -> None:
        """Have the bars up to this cycle traded; a repeat changes nothing.

        Raises:
            AccountSuspect: the token is refused.
            VenueError: the exchange did not answer in time.
        """
        end_s = time.monotonic() + _PATIENCE_S
        while (status := self._post(cycle)) != _OK:
            if status in _REFUSED:
                raise AccountSuspect("the practice exchange refuses the operator's token", retryable=False)
            if time.monotonic() > end_s:
                said = f"HTTP {status}" if status else "nothing"
                sentence = f"the practice exchange does not trade cycle {cycle}: it says {said}"
                raise VenueError(sentence, retryable=True)
            time.sleep(_PAUSE_S)  # it is being started again; do not spin

    def _post(self, cycle: int) -> int:
        try:
            answer = self._session.request(
                "POST", self._url, json={"cycle": cycle}, headers={"Authorization": f"Bearer {self._token}"}
            )
        except requests.RequestException:
            return 0
        return answer.status_code
