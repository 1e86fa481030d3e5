"""Arrays from files: `.npz`, `.npy`, `.csv` and `.json`. Numbers only; pickles are refused unread.

NumPy is imported here and nowhere else in this folder, and like what reads the files only when a spec has data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tensorgrad_cli.source import Issue, Span

__all__ = ["SUFFIXES", "load", "with_finite_numbers"]

SUFFIXES = (".npz", ".npy", ".csv", ".json")

Arrays = Mapping[str, Any]


def load(path: str, shown: str, span: Span, budget: int) -> Arrays:
    """The arrays of a file by the names they have there; a file of one array without a name gives it as ''.

    `shown` is the path as messages have it, `budget` the most bytes that may be read. Raises an Issue at
    `span` where there is no such file, it is none of ours, or holds anything but numbers.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise Issue("data-format", span, f"{shown} is none of .npz, .npy, .csv and .json")
    if os.path.isdir(path):
        raise Issue("data-missing", span, f"{shown} is a folder")
    if not os.path.exists(path):
        raise Issue(
            "data-missing", span, f"there is no file {shown}", "paths are relative to the spec's folder"
        )
    if not os.path.isfile(path):
        raise Issue("data-missing", span, f"{shown} is no ordinary file")
    size = os.path.getsize(path)
    if size > budget:
        raise _too_large(shown, span, size, budget)
    reader = {".npz": _npz, ".npy": _npy, ".csv": _csv, ".json": _json}[suffix]
    try:
        return reader(path, shown, span, budget)
    except OSError as error:
        raise Issue(
            "data-missing", span, f"{shown} cannot be read: {error.strerror or 'not that format'}"
        ) from None
    except (MemoryError, OverflowError):
        raise Issue("too-large", span, f"{shown} holds numbers too many or too large to read") from None


def _too_large(shown: str, span: Span, size: int, budget: int) -> Issue:
    message = f"{shown} has {size:,} bytes, and `check: max_memory` is {budget:,}"
    return Issue("too-large", span, message, "raise `max_memory`, or take a smaller sample")


def _npz(path: str, shown: str, span: Span, budget: int) -> Arrays:
    import zipfile

    import numpy

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > budget:
                raise _too_large(shown, span, size, budget)
            found: dict[str, Any] = {}
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as file:
                    array = numpy.lib.format.read_array(file, allow_pickle=False)
                found[name] = _numbers(array, f"`{name}` in {shown}", span)
            return found
    except zipfile.BadZipFile:
        raise Issue("data-format", span, f"{shown} is no .npz file") from None
    except ValueError as error:
        raise _no_numpy_file(str(error), shown, span) from None


def _npy(path: str, shown: str, span: Span, budget: int) -> Arrays:
    import numpy

    try:
        with open(path, "rb") as file:
            array = numpy.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise _no_numpy_file(str(error), shown, span) from None
    return {"": _numbers(array, shown, span)}


def _no_numpy_file(reason: str, shown: str, span: Span) -> Issue:
    if "allow_pickle" in reason or "pickle" in reason:
        return Issue(
            "data-pickle",
            span,
            f"{shown} holds pickled Python objects, which are never read",
            "save arrays of numbers: `numpy.savez(path, x=x.astype(float))`",
        )
    return Issue("data-format", span, f"{shown} is no file of NumPy's, or is cut short")


def _numbers(array: Any, what: str, span: Span) -> Any:
    """The array in double precision; whole numbers stay whole."""
    kind = array.dtype.kind
    if kind not in "fiub":
        held = {"c": "complex numbers", "O": "Python objects"}.get(kind, "no numbers")
        raise Issue("data-format", span, f"{what} holds {held}", "save an array of real numbers")
    if kind in "iub":
        return array.astype("int64")
    # A gradient carries its own precision.
    return array if array.dtype.name in ("float16", "float32") else array.astype("float64")


def _csv(path: str, shown: str, span: Span, budget: int) -> Arrays:
    import csv

    import numpy

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise Issue("data-format", span, f"{shown} is no text") from None
    first = text.split("\n", 1)[0]
    separator = next((mark for mark in ",;\t" if mark in first), ",")
    rows: list[list[float]] = []
    try:
        for number, row in enumerate(csv.reader(text.splitlines(), delimiter=separator), 1):
            values = [_number(cell) for cell in row]
            if not row or (not rows and number == 1 and None in values):
                continue  # an empty line, or the header
            if None in values:
                column = values.index(None)
                message = f"{shown} has no number in line {number}, column {column + 1}: `{row[column][:40]}`"
                raise Issue("data-format", span, message)
            if rows and len(row) != len(rows[0]):
                message = f"{shown} has {len(row)} columns in line {number}, and {len(rows[0])} before"
                raise Issue("data-format", span, message)
            rows.append([value for value in values if value is not None])
    except csv.Error:
        raise Issue("data-format", span, f"{shown} is no .csv file") from None
    if not rows:
        raise Issue("data-format", span, f"{shown} holds no numbers")
    return {"": numpy.array(rows, dtype="float64")}


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _json(path: str, shown: str, span: Span, budget: int) -> Arrays:
    import json

    try:
        with open(path, encoding="utf-8-sig") as file:
            held = json.load(file)
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
        raise Issue("data-format", span, f"{shown} is no JSON file") from None
    if not isinstance(held, dict):
        return {"": _json_array(held, shown, span)}
    return {name: _json_array(value, f"`{name}` in {shown}", span) for name, value in held.items()}


def _json_array(held: Any, what: str, span: Span) -> Any:
    import numpy

    try:
        array = numpy.array(held)
    except (ValueError, TypeError, OverflowError):
        raise Issue("data-format", span, f"{what} is no array: its rows differ in length") from None
    if array.dtype.kind not in "fiub" and array.size:
        raise Issue("data-format", span, f"{what} holds something else than numbers")
    return array.astype("int64" if array.dtype.kind in "iub" else "float64")


def with_finite_numbers(array: Any, name: str, shown: str, span: Span) -> Any:
    """The array. Raises an Issue that names the first entry that is NaN or infinite."""
    import numpy

    bad = ~numpy.isfinite(array)
    if not bad.any():
        return array
    position = tuple(int(k) for k in numpy.argwhere(bad)[0])
    entry = f"{name}[{','.join(map(str, position))}]" if position else name
    value = "NaN" if numpy.isnan(array[position]) else "infinite"
    raise Issue("data-nan", span, f"`{entry}` in {shown} is {value}", "data holds finite numbers only")
