"""Read a policy or a dictionary from TOML; say what is wrong by key, never by value."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from policies.dictionary import Dictionary
from policies.errors import DictionaryError, PolicyError
from policies.evidence import held_to_no_attack
from policies.model import Policy

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 16 * 1024 * 1024


def load_policy(path: Path | str) -> Policy:
    """Read and check a policy file.

    Raises
    ------
    PolicyError
        The file cannot be read, is not TOML, writes a key twice, breaks the model, or limits nothing that could show
        an attack.
    """
    return parse_policy(_read(Path(path), PolicyError), name=Path(path).name)


def parse_policy(content: bytes, *, name: str = "policy") -> Policy:
    """A policy from the bytes of its file, so the same bytes can be hashed into the record."""
    policy = _parse(content, Policy, PolicyError, name)
    if fault := held_to_no_attack(policy):
        raise PolicyError(f"{name}: limits: {fault}")
    return policy


def load_dictionary(path: Path | str) -> Dictionary:
    """Read and check a data dictionary file.

    Raises
    ------
    DictionaryError
        The file cannot be read, is not TOML, writes a key twice, or breaks the model.
    """
    return parse_dictionary(_read(Path(path), DictionaryError), name=Path(path).name)


def parse_dictionary(content: bytes, *, name: str = "dictionary") -> Dictionary:
    """A dictionary from the bytes of its file, so the same bytes can be hashed into the record."""
    return _parse(content, Dictionary, DictionaryError, name)


def pack_names() -> tuple[str, ...]:
    """Ids of the policies that ship with Sluice."""
    folder = resources.files("policies") / "packs"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_pack(name: str) -> bytes:
    """The bytes of a shipped policy.

    Raises
    ------
    PolicyError
        No pack has that name.
    """
    if name not in pack_names():
        raise PolicyError(f"no policy pack is called {name!r}; there are: {', '.join(pack_names())}")
    return (resources.files("policies") / "packs" / f"{name}.toml").read_bytes()


def load_pack(name: str) -> Policy:
    """A shipped policy, checked."""
    return parse_policy(read_pack(name), name=f"{name}.toml")


def _read(path: Path, error: type[ValueError]) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as cause:
        raise error(f"{path.name}: cannot be read ({cause.strerror}); check the path and its permissions") from None
    if len(content) > MAX_BYTES:
        raise error(f"{path.name}: larger than {MAX_BYTES} bytes; this is not a policy or dictionary file")
    return content


def _parse(content: bytes, model: type[Model], error: type[ValueError], name: str) -> Model:
    try:
        document = _tuples(tomllib.loads(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise error(f"{name}: is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{name}: is not TOML: {cause}") from None
    except (ValueError, RecursionError):  # an endless number, or brackets nested without end
        raise error(f"{name}: is not TOML a person would write; remove giant numbers and deep nesting") from None
    try:
        return model.model_validate(document)
    except ValidationError as cause:
        problems = dict.fromkeys(_problem(dict(item)) for item in cause.errors(include_input=False, include_url=False))
        raise error(f"{name}: {'; '.join(problems)}") from None


def _problem(item: dict[str, Any]) -> str:
    parts = [str(part) for part in item["loc"]]
    if parts[-2:-1] in (["minimum"], ["maximum"]) and item["type"] != "extra_forbidden":
        parts.pop()  # the union's branch says nothing to a custodian; elsewhere such a word is a column's name
    where = ".".join(parts) or "whole file"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "unknown key; remove it or correct its spelling"
    return f"{where}: {message}"


def _tuples(value: Any) -> Any:
    """TOML arrays as tuples, which is what frozen strict models hold."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value
