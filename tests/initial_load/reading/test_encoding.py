"""The announced encoding is used, and gives what the server would store."""

from __future__ import annotations

import io

import pytest

from tests.initial_load.conftest import HEAD, TAIL
from tests.initial_load.reading.tools import FIRST, events, rows
from verifier.errors import BackupRefused
from verifier.initial_load.reading.encoding import CODECS
from verifier.initial_load.reading.sql import read_sql
from verifier.servers import Pair, Side

TEXT = (
    "INSERT INTO s.t (a) VALUES ('caf\u00e9');\n" * 3 + "COPY s.t (a) FROM stdin;\ncaf\u00e9\n\\.\n"
)


def decoded(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return ""


def in_(name: str, codec: str, text: str = TEXT) -> bytes:
    return (HEAD.replace("UTF8", name) + text + TAIL).encode(codec)


@pytest.mark.parametrize("name", ["LATIN1", "latin1", "LATIN9", "WIN1252"])
def test_both_kinds_of_rows_come_as_utf8(name: str) -> None:
    for block in (1, 2, 1 << 20):
        assert rows(events(in_(name, "latin-1"), block=block)) == [("café",)] * 4


def test_characters_of_several_bytes() -> None:
    text = "INSERT INTO s.t (a) VALUES ('日本\\語');\n"
    assert rows(events(in_("GBK", "gbk", text), block=1)) == [("日本\\語",)]


@pytest.mark.parametrize("name", ["UTF8", "SQL_ASCII"])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_bytes_of_another_encoding_are_refused_by_line(name: str, block: int) -> None:
    with pytest.raises(BackupRefused, match=f"line {FIRST}: bytes that are not UTF8"):
        events(in_(name, "latin-1"), block=block)


@pytest.mark.parametrize("name", ["SJIS", "EUC_JP", "GB18030", "nonsense", ""])
def test_an_encoding_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(BackupRefused, match="encoding"):
        events(in_(name, "utf-8"))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_file_that_powershell_wrote_is_refused_with_advice(codec: str) -> None:
    with pytest.raises(BackupRefused, match=r"UTF-16.*--file"):
        events(("\ufeff" + HEAD + TEXT + TAIL).encode(codec))


def test_a_stream_that_gives_little_at_a_time_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    found = list(read_sql(Slow((HEAD + TEXT + TAIL).encode()), "b.sql"))
    assert found == events(HEAD + TEXT + TAIL)


def test_an_encoding_inside_a_value_is_not_announced() -> None:
    """A first piece of the file without its head must not be read in another encoding."""
    text = "INSERT INTO s.t (a) VALUES ('\nSET client_encoding = ''LATIN1'';\ncaf\u00e9');\n"
    text = text.replace("''", "'")
    with pytest.raises(BackupRefused, match="line 1: rows come before the encoding"):
        events(text + TAIL)


@pytest.mark.parametrize("name", sorted(set(CODECS) - {"UTF8", "SQL_ASCII"}))
def test_python_and_the_server_define_the_encoding_alike(servers: Pair, name: str) -> None:
    codec = CODECS[name]
    candidates = [bytes([one]) for one in range(0x80, 0x100)]
    if name in ("EUC_CN", "EUC_KR", "GBK", "UHC"):
        candidates += [
            bytes([one, two]) for one in range(0x80, 0x100) for two in range(0x40, 0x100)
        ]
    database = servers.databases(Side.TARGET).create("encoding")
    with database.connect() as session:
        ours = {raw: text for raw in candidates if (text := decoded(raw, codec))}
        theirs = session.execute(
            "SELECT raw, convert_from(raw, %s) FROM unnest(%s::bytea[]) raw", (name, list(ours))
        )
        assert dict(theirs.fetchall()) == ours
    servers.databases(Side.TARGET).drop(database)
