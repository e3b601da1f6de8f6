"""The requests and the claims of the configuration, read from its tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from verifier.errors import UsageError
from verifier.implementations import process
from verifier.implementations.claims import KINDS
from verifier.implementations.http.exchange import (
    RESULT,
    START,
    STATUS,
    STEPS,
    UPLOAD,
    Exchange,
    Polling,
)
from verifier.implementations.http.paths import Condition, JsonPath
from verifier.implementations.http.telling import KEYS, Listing, Telling
from verifier.implementations.http.templates import Call, Json, Payload
from verifier.implementations.http.values import Names
from verifier.implementations.placeholders import Template, parse, template
from verifier.implementations.tables import Table, texts
from verifier.readers import Reader, seconds, suggestion, switch, text

REQUEST = "request"
_EVERY = 0.5
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_BODIES = ("body", "body-file", "json", "form")


def exchange(half: Table, known: Collection[str]) -> Exchange:
    """The requests of one half; ``known`` are the placeholders of the first of them.

    A ``request`` is the only one.
    """
    timeout = half.read("timeout", seconds, process.TIMEOUT)
    alone = half.table(REQUEST)
    upload, start, status, result = (half.table(step) for step in STEPS)
    if alone is not None:
        more = [step for step in STEPS if half.has(step)]
        if more:
            raise UsageError(
                f"{half} has a {REQUEST} beside {' and '.join(more)}; {REQUEST} stands for the "
                f"only one, call it {START}"
            )
        return Exchange(start=call(alone, Names(known)), timeout=timeout)
    if start is None:
        raise UsageError(f'{half} has no {START}; write {START} = {{ url = "…" }}')
    answered: list[str] = []

    def names(step: str) -> Names:
        found = Names(known, tuple(answered))
        answered.append(step)
        return found

    return Exchange(
        upload=None if upload is None else call(upload, names(UPLOAD)),
        start=call(start, names(START)),
        status=None if status is None else _polling(status, names(STATUS)),
        result=None if result is None else call(result, names(RESULT)),
        timeout=timeout,
    )


def _polling(table: Table, names: Names) -> Polling:
    done = table.table("done")
    if done is None:
        raise UsageError(
            f'{table} has no done; write done = {{ path = "$.status", values = ["COMPLETED"] }}'
        )
    failed = table.table("failed")
    return Polling(
        call=call(table, names),
        every=table.read("every", seconds, _EVERY),
        done=_condition(done),
        failed=None if failed is None else _condition(failed),
    )


def call(table: Table, names: Names) -> Call:
    """One request. Raises :class:`UsageError` for whatever cannot be one."""
    payload = _payload(table, names)
    method = table.read("method", text, "POST" if payload.given else "GET").upper()
    if method not in _METHODS:
        hint = suggestion(method, _METHODS)
        raise UsageError(
            f"{table.where('method')} is {method!r}{hint}; choose from {', '.join(_METHODS)}"
        )
    url = table.required("url", template(names), 'write url = "http://HOST:PORT/PATH"')
    if not url.text.startswith(("http://", "https://", "{")):
        raise UsageError(
            f"{table.where('url')} is {url.text!r}; begin it with http://, https:// or a "
            "placeholder such as {NAME.url}"
        )
    return Call(
        method=method,
        url=url,
        headers=table.read("headers", templates(names), {}),
        params=table.read("params", templates(names), {}),
        payload=payload,
        timeout=table.read("timeout", seconds),
        redirects=table.read("redirects", switch, False),
    )


def _payload(table: Table, names: Names) -> Payload:
    given = [key for key in _BODIES if table.has(key)]
    if (table.has("files") and given not in ([], ["form"])) or len(given) > 1:
        both = " and ".join([*given, *(["files"] if table.has("files") else [])])
        raise UsageError(f"{table} has {both}; a request carries one of them")
    return Payload(
        text=table.read("body", template(names)),
        file=table.read("body-file", template(names)),
        json=table.read("json", _json(names)),
        form=table.read("form", templates(names)),
        files=table.read("files", templates(names)),
    )


def templates(names: Collection[str]) -> Reader[Mapping[str, Template]]:
    """Reads a table of texts with placeholders; its keys stay as they are."""

    def read(given: object, where: str) -> Mapping[str, Template]:
        found = texts(given, where)
        return {key: parse(value, names, f"{key} of {where}") for key, value in found.items()}

    return read


def _json(names: Collection[str]) -> Reader[Json]:
    """Reads a TOML value as one of JSON; its texts may hold placeholders."""

    def read(given: object, where: str) -> Json:
        if isinstance(given, str):
            return parse(given, names, where)
        if isinstance(given, bool | int | float):
            return given
        if isinstance(given, list):
            return [read(each, where) for each in given]
        if isinstance(given, Mapping):
            return {str(key): read(each, f"{key} of {where}") for key, each in given.items()}
        raise UsageError(f"{where} is {given}, which JSON does not have; give it as text")

    return read


# -- what an answer says ------------------------------------------------------------------------


def json_path(given: object, where: str) -> JsonPath:
    """Reads a JSON path."""
    return JsonPath.parse(text(given, where), where)


def _condition(table: Table) -> Condition:
    path = table.required("path", json_path, 'write path = "$.status"')
    return Condition(path, table.required("values", _values, "write values = [true], or texts"))


def _values(given: object, where: str) -> tuple[object, ...]:
    found = given if isinstance(given, list) else [given]
    if not found or not all(isinstance(each, str | bool | int | float) for each in found):
        raise UsageError(f"{where} is {given!r}; give texts, numbers, true or false in a list")
    return tuple(found)


def telling(half: Table) -> Telling:
    """What is known of the claim in the last answer of a restore."""
    names = half.read("tables", texts) or {}
    table = half.table("claim")
    if table is None:
        return Telling(names=names)
    success = table.table("success")
    found = Telling(
        success=None if success is None else _condition(success),
        message=table.read("message", json_path),
        document=table.read("document", json_path),
        rows=table.read("rows", json_path),
        counts=_listing(table, "counts", ("table", *KINDS)),
        rejections=_listing(table, "rejections", ("table", "key", "reason", "constraint")),
        merges=_listing(table, "merges", ("table", "key", "survivor", "constraint")),
        names=names,
    )
    pieces = (found.rows, found.counts, found.rejections, found.merges)
    if found.document is not None and any(each is not None for each in pieces):
        raise UsageError(
            f"{table} has a document beside rows, counts, rejections or merges; "
            "the document says all of it"
        )
    return found


def _listing(claim: Table, key: str, known: tuple[str, ...]) -> Listing | None:
    table = claim.table(key)
    if table is None:
        return None
    each = table.required("each", json_path, f'write where they stand: each = "$.{key}[*]"')
    found: dict[str, JsonPath | Mapping[str, JsonPath]] = {}
    for name in known:
        if name in KEYS and table.holds_table(name):
            found[name] = cast(Mapping[str, JsonPath], table.read(name, _paths))
        elif table.has(name):
            found[name] = table.required(name, json_path, "")
    return Listing(each=each, fields=found)


def _paths(given: object, where: str) -> dict[str, JsonPath]:
    found = texts(given, where)
    return {name: json_path(path, f"{name} of {where}") for name, path in found.items()}
