"""The words of ``predict.proto``; their descriptor is built here, for generated code ties to one protobuf.

A test holds it against the file that callers in other languages generate from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, unknown_fields
from numpy.typing import NDArray
from pydantic import ValidationError

from tg_actors.client.words import Prediction

PACKAGE, SERVICE, METHOD = "triplegain.v1", "Policies", "Predict"
PATH = f"/{PACKAGE}.{SERVICE}/{METHOD}"
#: Where a refusal lies in the trailing metadata; gRPC lets bytes pass below names that end so.
REFUSAL_KEY = "refusal-bin"
#: gRPC's word for each status of the HTTP API; where two statuses share one, the later stands for it.
CODES = {
    400: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_LITTLE_ENDIAN = np.dtype("<f4")
_FIELD = descriptor_pb2.FieldDescriptorProto
#: Message, then number, name, type and whether it is repeated.
_FIELDS = {
    "PredictRequest": (
        (1, "model", "string", False),
        (2, "version", "uint32", False),
        (3, "request_id", "string", False),
        (4, "columns", "uint32", False),
        (5, "observed", "bytes", False),
    ),
    "PredictAnswer": (
        (1, "model", "string", False),
        (2, "role", "string", False),
        (3, "moves", "uint32", True),
        (4, "sizes", "uint32", True),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked: ``version`` 0 is the one in force; ``observed`` is ``(rows, columns)`` float32."""

    model: str
    observed: NDArray[np.float32]
    version: int = 0
    request_id: str = ""


def file_descriptor() -> Any:
    """Return ``predict.proto`` as protobuf's own description of a file."""
    file = descriptor_pb2.FileDescriptorProto(name="predict.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        told = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            kind_number = _FIELD.Type.Value(f"TYPE_{kind.upper()}")
            told.field.add(name=field, number=number, type=kind_number, label=label)
    request, answer = (f".{PACKAGE}.{name}" for name in _FIELDS)
    file.service.add(name=SERVICE).method.add(name=METHOD, input_type=request, output_type=answer)
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(file_descriptor())
_request, _answer = (
    message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _FIELDS
)


def question_bytes(question: Question) -> bytes:
    """Return a question as it is sent.

    Raises:
        ValueError: the observations are no table.
    """
    rows = np.ascontiguousarray(question.observed, dtype=_LITTLE_ENDIAN)
    if rows.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"observations are rows of equal length, not {rows.shape}")
    sent: bytes = _request(
        model=question.model,
        version=question.version,
        request_id=question.request_id,
        columns=rows.shape[1],
        observed=rows.tobytes(),
    ).SerializeToString()
    return sent


def parse_question(body: bytes) -> Question:
    """Read a question.

    Raises:
        ValueError: this is no such message, it has a field that nobody knows here, or no whole rows.
    """
    came = _parsed(_request, body)
    step = came.columns * _LITTLE_ENDIAN.itemsize
    if not step or not came.observed or len(came.observed) % step:
        raise ValueError(
            f"observed: {len(came.observed)} bytes are no whole rows of {came.columns} columns of four bytes"
        )
    rows = np.frombuffer(came.observed, dtype=_LITTLE_ENDIAN).reshape(-1, came.columns)
    return Question(came.model, rows.astype(np.float32, copy=False), came.version, came.request_id)


def answer_bytes(model: str, role: str, actions: NDArray[np.int64]) -> bytes:
    """Return an answer as it is sent; actions are ``(rows, 2)``."""
    sent: bytes = _answer(
        model=model, role=role, moves=actions[:, 0].tolist(), sizes=actions[:, 1].tolist()
    ).SerializeToString()
    return sent


def parse_answer(body: bytes) -> Prediction:
    """Read an answer.

    Raises:
        ValueError: this is no such message.
    """
    came = _parsed(_answer, body)
    try:
        return Prediction(
            model=came.model, role=came.role, actions=tuple(zip(came.moves, came.sizes, strict=True))
        )
    except ValidationError as error:
        raise ValueError("this is no prediction") from error


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        came = kind.FromString(body)
    except message.DecodeError as error:
        raise ValueError(f"this is no {kind.DESCRIPTOR.name} of predict.proto") from error
    if len(unknown_fields.UnknownFieldSet(came)):
        raise ValueError(f"a field of this {kind.DESCRIPTOR.name} is not in predict.proto")
    return came
