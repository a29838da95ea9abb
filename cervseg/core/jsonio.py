"""Frozen dataclasses to JSON and back: strict types, valid JSON, files written completely or not at all."""

from __future__ import annotations

import json
import logging
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import CervsegError

T = TypeVar("T")
_logger = logging.getLogger(__name__)


def to_json(value: Any) -> Any:
    """Convert a value to plain JSON types; NaN and infinities, which JSON lacks, become None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` (dataclass, mapping or list) to ``path``, indented, under a temporary name first."""
    text = json.dumps(to_json(value), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, *, error: type[CervsegError] = CervsegError) -> Any:
    """Read a JSON file; a file that cannot be read raises ``error`` with the path and the line."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error("file not found", where=path) from None
    except OSError as problem:
        raise error(f"the file cannot be read ({problem.strerror})", where=path) from None
    except UnicodeDecodeError:
        raise error("not a text file", where=path) from None
    except json.JSONDecodeError as problem:
        raise error(f"not valid JSON (line {problem.lineno}: {problem.msg})", where=path) from None
    _logger.info("read %s", path)
    return content


def from_json(kind: type[T], value: Any, *, where: str = "", error: type[CervsegError] = CervsegError) -> T:
    """Rebuild a value of type ``kind`` from JSON types; unknown, missing and mistyped fields raise."""
    return typing.cast(T, _convert(kind, value, where or kind.__name__, error))


def read_dataclass(kind: type[T], path: Path, *, error: type[CervsegError] = CervsegError) -> T:
    """Read ``path`` into a dataclass; errors name the path and the field."""
    return typing.cast(T, _convert(kind, read_json(path, error=error), str(path), error))


def _convert(kind: Any, value: Any, where: str, error: type[CervsegError]) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (inner,) = (a for a in arguments if a is not type(None))
        return _convert(inner, value, where, error)
    if origin is typing.Literal:
        _expect(value in arguments, value, f"one of {', '.join(map(str, arguments))}", where, error)
        return value
    if is_dataclass(kind):
        return _convert_dataclass(kind, value, where, error)
    if origin is tuple:
        return _convert_tuple(arguments, value, where, error)
    if origin in (dict, Mapping):
        _expect(isinstance(value, dict), value, "an object", where, error)
        return {key: _convert(arguments[1], item, f"{where}.{key}", error) for key, item in value.items()}
    if origin is list:
        _expect(isinstance(value, list), value, "a list", where, error)
        return [_convert(arguments[0], item, f"{where}[{i}]", error) for i, item in enumerate(value)]
    if kind is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _expect(is_number, value, "a number", where, error)
        return float(value)
    if kind is int:
        is_whole = (
            isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
        )
        _expect(is_whole, value, "a whole number", where, error)
        return int(value)
    if origin is Literal:
        _expect(value in arguments, value, f"one of {', '.join(map(str, arguments))}", where, error)
        return value
    if kind is Path:
        _expect(isinstance(value, str), value, "a path", where, error)
        return Path(value)
    _expect(isinstance(value, kind), value, kind.__name__, where, error)
    return value


def _convert_dataclass(kind: Any, value: Any, where: str, error: type[CervsegError]) -> Any:
    _expect(isinstance(value, dict), value, "an object", where, error)
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise error(f"unknown field {unknown[0]!r}", where=where, hint=f"Known fields: {', '.join(known)}.")
    required = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    missing = sorted(required - set(value))
    if missing:
        raise error(f"field {missing[0]!r} is missing", where=where)
    return kind(**{n: _convert(hints[n], item, f"{where}.{n}", error) for n, item in value.items()})


def _convert_tuple(arguments: tuple[Any, ...], value: Any, where: str, error: type[CervsegError]) -> Any:
    _expect(isinstance(value, (list, tuple)), value, "a list", where, error)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, f"{where}[{i}]", error) for i, item in enumerate(value))
    _expect(len(value) == len(arguments), value, f"a list of {len(arguments)}", where, error)
    return tuple(
        _convert(a, item, f"{where}[{i}]", error)
        for i, (a, item) in enumerate(zip(arguments, value, strict=True))
    )


def _expect(holds: bool, value: Any, wanted: str, where: str, error: type[CervsegError]) -> None:
    if not holds:
        raise error(f"expected {wanted}, got {value!r}", where=where)
