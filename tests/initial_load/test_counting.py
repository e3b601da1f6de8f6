"""Rows of a pg_dump plain file, counted as it goes by in pieces."""

from __future__ import annotations

import pytest

from verifier.errors import BackupError
from verifier.initial_load.backing_up.counting import RowCounter

TEXT = r"""--
-- PostgreSQL database dump; it's "one
--

\restrict it's

SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

-- Data for Name: it's "; COPY x.y (a) FROM stdin;

COPY public.t (id, "it's; (a)", "b""q") FROM stdin;
1	INSERT INTO public.t (id) VALUES (1);	\\.
2	'	"
\N	\\	--
\.


COPY public.none (id) FROM stdin;
\.


COPY "Odd; s"."a ""q""
COPY l.m (id) FROM stdin;
nl" (id) FROM stdin;
1
\.

COPY public.zero  FROM stdin;


\.

INSERT INTO public.i (id, "it's", "x VALUES (';") VALUES (1, 'x''', '');
INSERT INTO public.i (id, "it's", "x VALUES (';") VALUES (2, '
INSERT INTO public.i (id, "it''s") VALUES (9, ''no'');
COPY public.i (id) FROM stdin;
', NULL);
INSERT INTO public.i (id) OVERRIDING SYSTEM VALUE VALUES (3);
INSERT INTO "A.b"."C ("" d" (id) VALUES ('C:\');
INSERT INTO "A.b"."C ("" d" DEFAULT VALUES;
INSERT INTO public.i (id) VALUES (4);

SELECT pg_catalog.setval('"Odd s"."a ""q"" ''x''
INSERT INTO public.i (id) VALUES (4);
nl_id_seq"', 2, true);
BEGIN;

SELECT pg_catalog.lowrite(0, '\x5c0a');

COMMIT;

--
-- PostgreSQL database dump complete
--

\unrestrict it's

"""

ROWS = {
    ("public", "t"): 3,
    ("public", "none"): 0,
    ("Odd; s", 'a "q"\nCOPY l.m (id) FROM stdin;\nnl'): 1,
    ("public", "zero"): 2,
    ("public", "i"): 4,
    ("A.b", 'C (" d'): 2,
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 64, 10_000])
def test_rows_are_counted_whatever_the_pieces(size: int) -> None:
    counter = RowCounter()
    data = TEXT.encode()
    for at in range(0, len(data), size):
        counter.feed(data[at : at + size])
    counter.end()
    assert counter.rows == ROWS
    assert counter.total == sum(ROWS.values())


def test_rows_are_counted_whatever_the_one_cut() -> None:
    data = TEXT.encode()
    for cut in range(len(data)):
        counter = RowCounter()
        counter.feed(data[:cut])
        counter.feed(data[cut:])
        counter.end()
        assert counter.rows == ROWS, data[:cut]


@pytest.mark.parametrize(
    "text", ["COPY public.t (id) FROM stdin;\n1\n", "INSERT INTO public.t (id) VALUES ('a", "-- x"]
)
def test_an_end_in_the_middle_is_an_error(text: str) -> None:
    counter = RowCounter()
    counter.feed(text.encode())
    with pytest.raises(BackupError, match="in the middle of a statement"):
        counter.end()


def test_a_statement_that_pg_dump_does_not_write_is_an_error() -> None:
    counter = RowCounter()
    with pytest.raises(BackupError, match="COPY t FROM PROGRAM"):
        counter.feed(b"COPY t FROM PROGRAM 'x' " * 50_000)


def test_a_value_of_any_length_is_not_kept() -> None:
    counter = RowCounter()
    counter.feed(b"INSERT INTO public.t (v) VALUES ('")
    for _ in range(100):
        counter.feed(b"x" * 100_000)
        assert not counter._rest
    counter.feed(b"');\n")
    counter.end()
    assert counter.rows == {("public", "t"): 1}
