"""Kraken's signature: HMAC-SHA512 over the path and the SHA-256 of nonce and body. Pure."""

import base64
import binascii
import hashlib
import hmac


def signature(secret: str, path: str, nonce: str, body: bytes) -> str:
    """``API-Sign`` of a request; ``secret`` is base64.

    Raises:
        ValueError: the secret is no base64.
    """
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is no base64") from error
    message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.new(key, message, hashlib.sha512).digest()).decode()


def is_signed(given: str, secret: str, path: str, nonce: str, body: bytes) -> bool:
    """Whether a signature is the right one; takes the same time either way."""
    return hmac.compare_digest(given.encode(), signature(secret, path, nonce, body).encode())
