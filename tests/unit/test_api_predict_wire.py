"""``predict.proto`` says what the code does, and nothing else is taken for its words."""

import re
from pathlib import Path

import numpy as np
import pytest

import tg_actors.client
from tg_actors.client.predict_wire import (
    PATH,
    Question,
    answer_bytes,
    file_descriptor,
    parse_answer,
    parse_question,
    question_bytes,
)
from tg_actors.client.words import Prediction

PROTO = Path(tg_actors.client.__file__).parent / "predict.proto"
KINDS = {"string": 9, "uint32": 13, "bytes": 12}


def test_the_file_for_other_languages_says_what_the_code_does() -> None:
    text = re.sub(r"//.*", "", PROTO.read_text())
    file = file_descriptor()
    (package,) = re.findall(r"package ([\w.]+);", text)
    (service,) = re.findall(r"service (\w+)", text)
    (method,) = re.findall(r"rpc (\w+)\(PredictRequest\) returns \(PredictAnswer\)", text)
    assert f"/{package}.{service}/{method}" == PATH
    assert (file.package, file.service[0].name, file.service[0].method[0].name) == (package, service, method)
    found = {
        name: [
            (field, int(number), KINDS[kind], 3 if repeated else 1)
            for repeated, kind, field, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body)
        ]
        for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.DOTALL)
    }
    assert found == {
        one.name: [(f.name, f.number, f.type, f.label) for f in one.field] for one in file.message_type
    }


def test_questions_and_answers_come_as_they_went() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    came = parse_question(question_bytes(Question("rl-balanced", rows, 7, "a")))
    assert (came.model, came.version, came.request_id) == ("rl-balanced", 7, "a")
    assert (came.observed == rows).all()
    assert came.observed.dtype == np.float32
    actions = np.array([[0, 4], [2, 0]])
    answer = parse_answer(answer_bytes("rl-balanced@7", "canary", actions))
    assert answer == Prediction(model="rl-balanced@7", role="canary", actions=((0, 4), (2, 0)))


def test_a_table_in_another_order_of_memory_is_sent_row_by_row() -> None:
    rows = np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3))
    assert (parse_question(question_bytes(Question("m", rows))).observed == rows).all()  # type: ignore[arg-type]  # a caller's mistake


def test_what_is_no_table_is_not_sent() -> None:
    with pytest.raises(ValueError, match="rows of equal length"):
        question_bytes(Question("m", np.zeros(3, dtype=np.float32)))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"\xff", "no PredictRequest"),
        (b'{"model": "m"}', "no PredictRequest"),
        (b"\x0a\x02\xff\xfe", "no PredictRequest"),
        (b"\x7a\x01x", "not in predict.proto"),
        (b"", "no whole rows"),
        (b"\x20\x02", "no whole rows"),
        (b"\x2a\x04abcd", "no whole rows"),
        (b"\x20\x02\x2a\x04abcd", "no whole rows of 2 columns"),
        (b"\x20\x01\x2a\x05abcde", "no whole rows of 1 columns"),
        (b"\x20\xff\xff\xff\xff\x0f\x2a\x04abcd", "no whole rows of 4294967295 columns"),
    ],
)
def test_what_is_no_question_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_question(body)


@pytest.mark.parametrize("body", [b"\xff", b"\x7a\x01x", b"\x1a\x01\x01"])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"PredictAnswer|argument"):
        parse_answer(body)
