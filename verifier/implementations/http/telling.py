"""What an answer says of the restore, made a claim.

Without a word about it in the configuration, the status code is the whole claim: who answers
200 says that the rows are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.contract import Claim
from verifier.implementations import claims
from verifier.implementations.http.answers import Answer
from verifier.implementations.http.exchange import Ended
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.paths import Condition, JsonPath

KEYS = ("key", "survivor")
"""Fields of a list that describe a row: one value, or one for each column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Things that an answer lists, and where each of them says what."""

    each: JsonPath
    """Finds the things."""
    fields: Mapping[str, JsonPath | Mapping[str, JsonPath]]
    """Where a field stands, from the thing itself on (``$`` is the thing)."""

    def read(self, document: object) -> list[tuple[str, dict[str, object]]]:
        """Each thing, with the name under which it stands."""
        return [(name, self._fields(thing)) for name, thing in self.each.named(document)]

    def _fields(self, thing: object) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, path in self.fields.items():
            if isinstance(path, JsonPath):
                values = path.values(thing)
                if values:
                    found[name] = values[0]
            else:
                columns = {column: each.values(thing) for column, each in path.items()}
                found[name] = {column: each[0] for column, each in columns.items() if each}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Where an answer says what became of the restore; ``None``: it does not say that."""

    success: Condition | None = None
    message: JsonPath | None = None
    document: JsonPath | None = None
    """A whole claim, as our own restore writes it."""
    rows: JsonPath | None = None
    """How many rows were transferred in all."""
    counts: Listing | None = None
    rejections: Listing | None = None
    merges: Listing | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def claim(self, ended: Ended) -> Claim:
        """The claim; a failure wherever the status, the document or the end says one."""
        answer = ended.answer
        if ended.failure or not answer.ok:
            return self._failure(answer, ended.failure)
        if not self._needs_document:
            words = self._message(_document_if_any(answer)) or answer.words()
            return Claim(success=True, message=_said(answer, words))
        try:
            document = answer.document()
            said = self._testimony(document)
            words = said.message or self._message(document) or answer.words()
            holds = self.success is None or self.success.holds(document)
            reason = "" if self.success is None or holds else self.success.found(document)
        except (Failed, claims.Unreadable) as error:
            return Claim(success=False, message=_unreadable(answer, error))
        said.message = _said(answer, words, reason)
        return said.claim(success=holds) if holds else _failed(said)

    @property
    def _needs_document(self) -> bool:
        lists = (self.counts, self.rejections, self.merges)
        wanted = (self.success, self.document, self.rows, *lists)
        return any(each is not None for each in wanted)

    def _failure(self, answer: Answer, reason: str) -> Claim:
        """What can be read of an answer that tells of a failure; it may be no document at all."""
        document = _document_if_any(answer)
        try:
            said = self._testimony(document)
        except (Failed, claims.Unreadable):
            said = claims.Testimony()
        words = said.message or self._message(document) or answer.words()
        said.message = _said(answer, words, reason)
        return _failed(said)

    def _message(self, document: object) -> str:
        if self.message is None or document is None:
            return ""
        try:
            found = self.message.values(document)
        except Failed:
            return ""  # the answer as it is will do
        return "; ".join(str(each) for each in found if each is not None)

    def _testimony(self, document: object) -> claims.Testimony:
        """What is said in the places that are known. Raises ``Unreadable`` and :class:`Failed`."""
        if self.document is not None:
            found = self.document.values(document)
            if len(found) != 1:
                raise claims.Unreadable(f"{len(found)} values at {self.document}, and no document")
            return claims.of_document(found[0])
        made: dict[str, object] = {}
        if self.rows is not None:
            found = self.rows.values(document)
            if len(found) != 1:
                raise claims.Unreadable(f"{len(found)} values at {self.rows}, and no number")
            made["rows"] = found[0]
        said = claims.of_document({**made, **self._lists(document)})
        for name, told in self.counts.read(document) if self.counts else ():
            table = str(told.pop("table", name))
            for counted in claims.of_document({"tables": {table: told}}).figures.values():
                for kind, number in counted.items():
                    said.count(table, kind, number)
        return said

    def _lists(self, document: object) -> dict[str, object]:
        lists = {"rejections": self.rejections, "merges": self.merges}
        return {
            name: [{"table": under, **told} for under, told in listing.read(document)]
            for name, listing in lists.items()
            if listing is not None
        }


def _failed(said: claims.Testimony) -> Claim:
    """A failure that a status or a condition shows, whatever the document calls itself."""
    said.success = False
    return said.claim(success=False)


def _document_if_any(answer: Answer) -> object:
    try:
        return answer.document()
    except Failed:
        return None


def _unreadable(answer: Answer, error: Exception) -> str:
    if isinstance(error, Failed):
        return str(error)
    return f"the claim in the answer to {answer.asked} cannot be read: {error}; {answer.said()}"


def _said(answer: Answer, words: str, reason: str = "") -> str:
    return ": ".join(filter(None, (answer.code, reason, words)))
