"""A request as the configuration describes it, filled in when it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpx

from verifier.implementations.http.calls import Body, Request
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.values import Values
from verifier.implementations.placeholders import Template

Json = Template | bool | int | float | list["Json"] | dict[str, "Json"]
"""A value of JSON whose texts may hold placeholders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a request carries, described in at most one of these ways."""

    text: Template | None = None
    file: Template | None = None
    json: Json | None = None
    form: Mapping[str, Template] | None = None
    files: Mapping[str, Template] | None = None
    """Parts of a form; goes together with ``form``."""

    @property
    def given(self) -> bool:
        return any(each is not None for each in (self.text, self.file, self.json)) or (
            self.form is not None or self.files is not None
        )

    def kind(self) -> dict[str, str]:
        """The header that says what is sent, where the library does not say it itself."""
        if self.json is not None:
            return {"content-type": "application/json"}
        if self.file is not None:
            return {"content-type": "application/octet-stream"}
        return {"content-type": "text/plain; charset=utf-8"} if self.text is not None else {}

    def templates(self) -> Iterator[Template]:
        yield from (each for each in (self.text, self.file) if each is not None)
        yield from (*(self.form or {}).values(), *(self.files or {}).values())
        yield from _texts(self.json)

    def filled(self, values: Values) -> Body:
        content = None
        if self.json is not None:
            content = json.dumps(_filled(self.json, values)).encode()
        elif self.text is not None:
            content = self.text.fill(values).encode()
        return Body(
            content=content,
            file=None if self.file is None else Path(self.file.fill(values)),
            form=None if self.form is None else fill_all(self.form, values),
            files=None
            if self.files is None
            else {name: Path(each.fill(values)) for name, each in self.files.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request with its placeholders."""

    method: str
    url: Template
    headers: Mapping[str, Template] = field(default_factory=dict)
    params: Mapping[str, Template] = field(default_factory=dict)
    """Of the URL's query; encoded as it has to be."""
    payload: Payload = Payload()
    timeout: float | None = None
    """Seconds; ``None`` leaves it to the deadline of the whole."""
    redirects: bool = False

    def templates(self) -> Iterator[Template]:
        """Every text of it that may hold placeholders."""
        yield self.url
        yield from (*self.headers.values(), *self.params.values())
        yield from self.payload.templates()

    def filled(self, values: Values, seconds: float) -> Request:
        """The request, for at most ``seconds``. Raises :class:`Failed` for a bad value."""
        headers = {name.lower(): value for name, value in fill_all(self.headers, values).items()}
        for name, value in headers.items():
            if value != value.strip() or not value.isprintable():
                raise Failed(
                    f"the header {name} would hold a line break, or blanks around its value; "
                    "check what stands for its placeholders"
                )
        return Request(
            method=self.method,
            url=self._url(values),
            headers={**self.payload.kind(), **headers},
            body=self.payload.filled(values),
            timeout=min(self.timeout or seconds, seconds),
            redirects=self.redirects,
        )

    def _url(self, values: Values) -> str:
        url = values.url(self.url)
        step = self.url.pieces[0][1].partition(".")[0]
        if not self.url.pieces[0][0] and step in values.answers:
            url = urljoin(values.answers[step].url, url)
        if not self.params:
            return url
        try:
            return str(httpx.URL(url).copy_merge_params(fill_all(self.params, values)))
        except (httpx.InvalidURL, ValueError):
            return url  # which is refused when it is asked for


def fill_all(templates: Mapping[str, Template], values: Mapping[str, str]) -> dict[str, str]:
    return {name: each.fill(values) for name, each in templates.items()}


def _texts(value: Json | None) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _filled(value: Json, values: Values) -> object:
    if isinstance(value, Template):
        return value.fill(values)
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    return value
