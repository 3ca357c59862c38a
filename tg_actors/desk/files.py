"""Find and read configuration: strict YAML in, validated models out, one clear sentence per mistake."""

import difflib
import json
import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

import tg_actors
from tg_actors.domain.errors import UserError

M = TypeVar("M", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """YAML without its surprises: no duplicate keys, no sexagesimal, octal, yes/no or dates.

    YAML 1.1 reads ``12:30`` as 750, ``010`` as 8 and ``no`` as false; here such text stays text.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 - PyYAML's own protocol


def _no_duplicates(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in mapping:
            line = key_node.start_mark.line + 1
            raise UserError(f"{key_node.start_mark.name}:{line}: the key {key!r} stands twice: remove one")
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _no_duplicates)
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def configs_folder() -> Path:
    """The configuration that ships with the product: in the wheel, or beside the source tree."""
    package = Path(tg_actors.__file__).parent
    for folder in (package / "_configs", package.parent / "configs"):
        if folder.is_dir():
            return folder
    raise UserError(f"the configuration folder is missing beside {package}: install TripleGain again")


def find_config(path: str) -> Path:
    """Resolve a path as given, then below the shipped configuration.

    Raises:
        UserError: there is no such file.
    """
    given = Path(path)
    shipped = configs_folder()
    relative = given.relative_to("configs") if given.parts[:1] == ("configs",) else given
    for candidate in (given, shipped / relative):
        if candidate.is_file():
            return candidate
    names = [str(file.relative_to(shipped)) for file in sorted(shipped.rglob("*.yaml"))]
    raise UserError(f"no configuration file {path!r}{_suggest(str(relative), names)}")


def read_yaml(path: Path) -> Any:
    """Return the plain data of a YAML file.

    Raises:
        UserError: unreadable, not YAML, or a key stands twice.
    """
    try:
        with path.open(encoding="utf-8") as file:
            loader = _StrictLoader(file)
            try:
                return loader.get_single_data()
            finally:
                loader.dispose()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def load(model: type[M], path: Path, data: Any = None) -> M:
    """Validate a YAML file (or its already read data) against a model.

    Raises:
        UserError: one sentence naming file, key, what is wrong, and the key that was meant.
    """
    content = read_yaml(path) if data is None else data
    try:
        return model.model_validate_json(json.dumps(content if content is not None else {}))
    except ValidationError as error:
        raise UserError(f"{path}: {_first_mistake(model, error)}") from error


def _first_mistake(model: type[BaseModel], error: ValidationError) -> str:
    details = error.errors(include_url=False)
    first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, first["loc"][:-1])
        return f"unknown key {place!r}{_suggest(str(first['loc'][-1]), known)}{more}"
    return f"{place or 'the file'}: {first['msg']}, got {first['input']!r}{more}"


def _known_keys(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    for part in place:
        field = model.model_fields.get(str(part))
        inner = _model_of(field.annotation) if field is not None else None
        model = inner or model
    return list(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _suggest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(known)}"
