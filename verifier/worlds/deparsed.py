"""Expressions as the catalogue prints them, read into those of the model.

``pg_get_expr`` puts every operation in parentheses of its own, so that no precedence has to
be known. What is not one of the model's operations becomes :attr:`Op.OPAQUE`: as small a part
as has a truth value, else the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from verifier.model.schema import Expression, Op, literal
from verifier.worlds.tokens import Token, constant, name_of, named, split

# Types of several words, as format_type prints them.
_LONGER = {
    "double": ("precision",),
    "character": ("varying",),
    "bit": ("varying",),
    "timestamp": ("with", "without"),
    "time": ("with", "without"),
    "with": ("time",),
    "without": ("time",),
}
# Casts that change neither what a value is compared with nor how.
_TEXTS = ("text", "character varying")
_CHARS = (*_TEXTS, "bpchar", "character")
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_NOT_NAMES = ("AND", "OR", "NOT", "IS", "NULL", "ANY", "ALL", "ARRAY", "CASE", "VALUE")
_FUNCTIONS = {
    "lower": (Op.LOWER, 1),
    "length": (Op.LENGTH, 1),
    "char_length": (Op.LENGTH, 1),
    "character_length": (Op.LENGTH, 1),
    "COALESCE": (Op.COALESCE, 0),
}


class _Unknown(Exception):
    """Not one of the model's operations."""


def expression(text: str, types: dict[str, str], type: str = "") -> Expression:
    """What ``text`` says of a row whose columns have the ``types`` (name → as SQL spells it).

    ``type``: what it yields, for an expression that is not spelled out.
    """
    words = split(text)
    try:
        reader = _Reader(text, words, types)
        found = reader.operand()
        if reader.at < len(words):
            raise _Unknown
    except _Unknown:
        found = _opaque(text, words, types)
    return replace(found, type=type) if found.op is Op.OPAQUE else found


def _opaque(text: str, tokens: list[Token], types: dict[str, str]) -> Expression:
    return Expression(op=Op.OPAQUE, text=text.strip(), columns=named(tokens, types))


class _Reader:
    def __init__(self, text: str, tokens: list[Token], types: dict[str, str]) -> None:
        self.at = 0
        self._text, self._tokens, self._types = text, tokens, types

    # -- tokens ----------------------------------------------------------------------------

    def _kind(self) -> str:
        return self._tokens[self.at][0] if self.at < len(self._tokens) else ""

    def _peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self._tokens[place][1] if place < len(self._tokens) else ""

    def _next(self) -> str:
        word = self._peek()
        if not word:
            raise _Unknown
        self.at += 1
        return word

    def _take(self, *words: str) -> bool:
        """Whether these come next; they are passed then."""
        if all(self._peek(place) == word for place, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise _Unknown

    # -- operands --------------------------------------------------------------------------

    def operand(self) -> Expression:
        found = self._primary()
        while self._take("::"):
            found = self._cast(found, self._type())
        return found

    def _primary(self) -> Expression:
        kind, word = self._kind(), self._peek()
        if word == "(":
            return self._parenthesised()
        if kind in ("text", "number"):
            self.at += 1
            number = "integer" if word.isdigit() else "numeric"
            return replace(literal(constant(word)), type=number if kind == "number" else "")
        if word in ("true", "false"):
            self.at += 1
            return replace(literal(word[0]), type="boolean")
        if kind == "word" and self._peek(1) == "(" and word in _FUNCTIONS:
            return self._call(*_FUNCTIONS[word])
        name = "value" if word == "VALUE" and "value" in self._types else name_of(word)
        known = kind in ("word", "quoted") and name in self._types
        if not known or (word in _NOT_NAMES and name != "value") or self._peek(1) in ("(", "."):
            raise _Unknown
        self.at += 1
        return Expression(op=Op.COLUMN, text=name)

    def _call(self, op: Op, count: int) -> Expression:
        self.at += 1
        arguments = self._list("(", ")")
        opaque = any(argument.op is Op.OPAQUE for argument in arguments)
        if opaque or (count and len(arguments) != count) or not all(map(self._spelled, arguments)):
            raise _Unknown
        return Expression(op=op, arguments=arguments)

    def _spelled(self, argument: Expression) -> bool:
        """Whether what a function gets is of a type that the model's function takes."""
        return argument.op is not Op.COLUMN or "character(" not in self._types[argument.text]

    def _list(self, opening: str, closing: str) -> tuple[Expression, ...]:
        self._need(opening)
        found = [self.operand()]
        while self._take(","):
            found.append(self.operand())
        self._need(closing)
        return tuple(found)

    def _parenthesised(self) -> Expression:
        begin, end = self.at, self._closing()
        self.at += 1
        try:
            found = self._operation()
            if self.at != end:
                raise _Unknown
        except _Unknown:
            inside = self._tokens[begin : end + 1]
            start = self._tokens[begin][2] - 1
            found = _opaque(self._text[start : inside[-1][2]], inside, self._types)
        self.at = end + 1
        return found

    def _closing(self) -> int:
        depth = 0
        for place in range(self.at, len(self._tokens)):
            word = self._tokens[place][1]
            depth += (word == "(") - (word == ")")
            if depth == 0:
                return place
        raise _Unknown

    # -- operations ------------------------------------------------------------------------

    def _operation(self) -> Expression:
        if self._take("NOT"):
            return _not(self._truth(self.operand()))
        left = self.operand()
        word = self._peek()
        if word in ("AND", "OR"):
            return self._connected(left, word)
        if self._take("IS"):
            negated = self._take("NOT")
            self._need("NULL")
            return _not(_is_null(_known(left))) if negated else _is_null(_known(left))
        return left if word == ")" else self._compared(left)

    def _compared(self, left: Expression) -> Expression:
        word = self._next()
        if word not in _OPERATORS:
            raise _Unknown
        if word == "=" and self._take("ANY"):
            return Expression(op=Op.OR, arguments=self._each(left, _equal))
        if word == "<>" and self._take("ALL"):
            return Expression(op=Op.AND, arguments=self._each(left, _different))
        return self._binary(word, left, self.operand())

    def _connected(self, left: Expression, word: str) -> Expression:
        found = [self._truth(left)]
        while self._take(word):
            found.append(self._truth(self.operand()))
        return Expression(op=Op.AND if word == "AND" else Op.OR, arguments=tuple(found))

    def _truth(self, term: Expression) -> Expression:
        """A term of a connection, which need not be spelled out."""
        return replace(term, type="boolean") if term.op is Op.OPAQUE else term

    def _binary(self, word: str, left: Expression, right: Expression) -> Expression:
        if {left.op, right.op} <= {Op.LITERAL} or Op.OPAQUE in (left.op, right.op):
            raise _Unknown
        return _OPERATORS[word](left, right)

    def _each(
        self, left: Expression, compare: Callable[[Expression, Expression], Expression]
    ) -> tuple[Expression, ...]:
        """``ANY`` or ``ALL`` of the elements of an array that is spelled out."""
        self._need("(")
        nested = self._take("(")
        self._need("ARRAY")
        elements = self._list("[", "]")
        if nested:
            self._need(")")
        if self._take("::"):
            self._type()
        self._need(")")
        if left.op in (Op.OPAQUE, Op.LITERAL) or any(e.op is Op.OPAQUE for e in elements):
            raise _Unknown
        return tuple(compare(left, element) for element in elements)

    # -- casts -----------------------------------------------------------------------------

    def _type(self) -> str:
        words = [self._next()]
        while self._take("."):
            words[-1] += f".{self._next()}"
        while self._peek() in _LONGER.get(words[-1], ()):
            words.append(self._next())
        if words[-1] == "time" and words[-2:-1] in (["with"], ["without"]):
            self._need("zone")
            words.append("zone")
        name = " ".join(words)
        if self._take("("):
            inside = [self._next()]
            while not self._take(")"):
                inside.append(self._next())
            name += f"({''.join(inside)})"
        while self._take("[]"):
            name += "[]"
        return name

    def _cast(self, value: Expression, type: str) -> Expression:
        if value.op is Op.LITERAL:
            bare = type.partition("(")[0]
            # A text is of the other side's type.
            return replace(value, type="" if bare in _CHARS else type)
        if value.op is not Op.COLUMN:
            raise _Unknown
        own = self._types[value.text].partition("(")[0]
        if own in _TEXTS and type in _TEXTS:
            return replace(value, type=type)
        wider = own in _NUMBERS and type in _NUMBERS
        if wider and _NUMBERS.index(own) <= _NUMBERS.index(type):
            return value
        raise _Unknown


def _known(value: Expression) -> Expression:
    if value.op is Op.OPAQUE:
        raise _Unknown
    return value


def _is_null(value: Expression) -> Expression:
    return Expression(op=Op.IS_NULL, arguments=(value,))


def _not(value: Expression) -> Expression:
    return Expression(op=Op.NOT, arguments=(value,))


def _equal(left: Expression, right: Expression) -> Expression:
    return Expression(op=Op.EQUAL, arguments=(left, right))


def _different(left: Expression, right: Expression) -> Expression:
    return _not(_equal(left, right))


_OPERATORS: dict[str, Callable[[Expression, Expression], Expression]] = {
    "=": _equal,
    "<>": _different,
    "<": lambda left, right: Expression(op=Op.LESS, arguments=(left, right)),
    ">": lambda left, right: Expression(op=Op.LESS, arguments=(right, left)),
    "<=": lambda left, right: Expression(op=Op.AT_MOST, arguments=(left, right)),
    ">=": lambda left, right: Expression(op=Op.AT_MOST, arguments=(right, left)),
    "||": lambda left, right: Expression(op=Op.JOIN, arguments=(left, right)),
    "+": lambda left, right: Expression(op=Op.PLUS, arguments=(left, right)),
}
