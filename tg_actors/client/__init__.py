"""Talking to a desk over HTTP: the words of the API, and a client that needs no Ray."""

from tg_actors.client.client import TripleGainClient
from tg_actors.client.errors import ApiError

__all__ = ["ApiError", "TripleGainClient"]
