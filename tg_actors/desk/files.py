"""Find and read configuration: strict YAML in, validated models out, one clear sentence per mistake."""

import difflib
import json
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

import tg_actors
from tg_actors.domain.errors import UserError

M = TypeVar("M", bound=BaseModel)

#: Folders below ``configs`` whose files a desk file or a command names.
_NAMED_FOLDERS = ("desks", "agents", "venues")
#: A wrong value is quoted up to here: enough to find it in the file.
_QUOTED_CHARS = 60


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
    """Resolve a path as given, then below the shipped configuration; a bare name is a shipped desk.

    Raises:
        UserError: there is no such file.
    """
    given = Path(path)
    shipped = configs_folder()
    relative = given.relative_to("configs") if given.parts[:1] == ("configs",) else given
    for candidate in (given, shipped / relative, shipped / "desks" / f"{path}.yaml"):
        if candidate.is_file():
            return candidate
    folder = relative.parts[0] if relative.parts[0] in _NAMED_FOLDERS else "desks"
    names = [f"{folder}/{file.name}" for file in sorted((shipped / folder).glob("*.yaml"))]
    raise UserError(f"no configuration file {path!r}{suggest(str(relative), names)}")


def find_named(folder: str, name: str) -> Path:
    """Resolve the file of an agent or a venue from the name that a desk file gives it.

    Raises:
        UserError: the name is unknown.
    """
    for candidate in (Path("configs") / folder / f"{name}.yaml", configs_folder() / folder / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    names = [file.stem for file in sorted((configs_folder() / folder).glob("*.yaml"))]
    raise UserError(f"there is no {name!r} in configs/{folder}{suggest(name, names)}")


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
    content = {} if content is None else content
    try:
        return model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise UserError(f"{path}: {_first_mistake(model, content, error)}") from error


def _first_mistake(model: type[BaseModel], content: Any, error: ValidationError) -> str:
    details = error.errors(include_url=False)
    first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
    place = ".".join(_keys(content, first["loc"], missing=first["type"] == "missing"))
    others = len({str(_keys(content, d["loc"], missing=True)) for d in details}) - 1
    return _mistake(model, place, first) + (f" (and {others} more)" if others else "")


def _mistake(model: type[BaseModel], place: str, details: ErrorDetails) -> str:
    match details["type"]:
        case "extra_forbidden":
            *inside, key = details["loc"]
            return f"unknown key {place!r}{suggest(str(key), _known_keys(model, inside))}"
        case "missing":
            return f"the key {place!r} is missing"
        case "union_tag_invalid":
            said = details["ctx"]
            key = said["discriminator"].strip("'")
            return f"{place}.{key}: it is one of {said['expected_tags']}, got {said['tag']!r}"
        case "union_tag_not_found":
            return f"the key '{place}.{details['ctx']['discriminator'].strip(chr(39))}' is missing"
        case "value_error":
            # Our own sentence says what is wrong; the value may be the whole file.
            return f"{place or 'the file'}: {details['msg'].removeprefix('Value error, ')}"
        case _:
            message = details["msg"].replace("Input should be", "it should be", 1)
            return f"{place or 'the file'}: {message}, got {_quoted(details['input'])}"


def _keys(content: Any, place: Iterable[int | str], *, missing: bool) -> list[str]:
    """The keys as they stand in the file; pydantic also names the branch of a union that it tried."""
    parts, keys, value = list(place), [], content
    for k, part in enumerate(parts):
        inside = part in value if isinstance(value, Mapping) else isinstance(value, list)
        if inside:
            value = value[part]
        elif not (missing and k == len(parts) - 1 and isinstance(value, Mapping)):
            continue
        keys.append(str(part))
    return keys


def _known_keys(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    branches = [model]
    for part in place:
        tagged = [b for b in branches if "kind" in b.model_fields and b.model_fields["kind"].default == part]
        fields = [b.model_fields[str(part)] for b in branches if str(part) in b.model_fields]
        inner = [found for field in fields for found in _models_of(field.annotation)]
        branches = tagged or inner or branches
    return list(dict.fromkeys(key for branch in branches for key in branch.model_fields))


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    candidates = [annotation, *get_args(annotation)]
    return [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]} …"


def suggest(word: str, known: list[str]) -> str:
    """End a sentence about an unknown word: the one that was meant, or all there are."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(known)}"
