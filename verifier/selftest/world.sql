-- The database of the self-test: small, and with a place for every mutation.
--
-- Two settings say what both servers can hold: selftest.major (the older one's major
-- version) and selftest.features (comma-separated: xml, and the extensions that both
-- offer). Names are written with their schema, because a restore runs without a search path.

CREATE FUNCTION pg_temp.has(feature text) RETURNS boolean LANGUAGE sql AS
$$ SELECT feature = ANY (string_to_array(current_setting('selftest.features'), ',')) $$;
CREATE FUNCTION pg_temp.since(major int) RETURNS boolean LANGUAGE sql AS
$$ SELECT current_setting('selftest.major')::int >= major $$;

CREATE SCHEMA archive;
CREATE SCHEMA "Odd ""Schema""";
COMMENT ON SCHEMA archive IS 'what is over';

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['citext', 'hstore', 'pg_trgm', 'vector'] LOOP
        IF pg_temp.has(name) THEN
            EXECUTE format('CREATE EXTENSION %I SCHEMA public', name);
        END IF;
    END LOOP;
END $$;

-- Types --------------------------------------------------------------------------------

CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy', 'it''s "odd"', 'Happy');
CREATE TYPE public.size AS ENUM ('small', 'middle', 'large');
CREATE TYPE public.address AS (street text, city text, zip int);
CREATE TYPE public.measure AS (amount numeric(10,2), unit text);
CREATE TYPE public.cents AS RANGE (subtype = bigint);
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN public.share AS numeric CONSTRAINT share_range CHECK (VALUE BETWEEN 0 AND 1);
CREATE DOMAIN public.email AS text COLLATE "C" DEFAULT 'nobody@example.com' NOT NULL
    CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
COMMENT ON TYPE public.mood IS 'how one feels';
COMMENT ON DOMAIN public.positive IS 'more than nothing';

-- Values -------------------------------------------------------------------------------

CREATE TABLE public.texts (id int PRIMARY KEY, a text, b text, c text);
INSERT INTO public.texts VALUES
    (1, NULL, 'x', 'y'), (2, '', 'x', 'y'), (3, '<null>', 'x', 'y'), (4, 'a|b', 'c', 'd'),
    (5, 'a,b', 'c', 'd'), (6, 'a"b', 'c', 'd'), (7, E'a\\', 'b', 'd'), (8, 'a}', '{b', 'd'),
    (9, E'a\tb', 'c', 'd'), (10, E'a\nb', 'c', 'd'), (11, 'a''b', 'c', 'd'), (12, 'a', NULL, 'd'),
    (13, 'a(b', 'c)', 'd'), (14, 'a', 'b', 'c'), (15, E'caf\u00e9', 'x', 'y'), (16, 'Case', 'x', 'y'),
    (17, 'blank', 'x', 'y'), (18, E'two\r\nlines', 'x', 'y'), (19, 'no break', 'x', 'y'),
    (20, 'paypal', 'x', 'y'), (21, E'\U0001F44D', 'x', 'y'), (22, 'NULL', 'x', 'y'),
    (23, E'\\N', 'x', 'y'), (24, 'swapped one', 'x', 'y'), (25, 'swapped two', 'x', 'y'),
    (26, repeat('long ', 2000) || 'a', 'x', 'y'), (27, 'a' || chr(31) || 'b', 'c', 'd'),
    (28, '1', '2', '3'), (29, 'abc', '', 'd'), (30, E'a\x01', 'b', 'c');

CREATE TABLE public.chars (id int PRIMARY KEY, c char(5), v varchar(10), b bpchar, n "char", w name);
INSERT INTO public.chars VALUES (1, 'ab', 'ab', 'ab', 'x', 'ab'), (2, '', '', '', '', ''), (3, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE public.numbers (
    id int PRIMARY KEY, s smallint, i int, big bigint, n numeric, n2 numeric(12,4), f4 real, f8 double precision,
    m money, b boolean, o oid);
INSERT INTO public.numbers VALUES
    (1, 1, 1, 1, 1.10, 1.1, 0.1, 0.1, 1.23, true, 1),
    (2, -32768, -2147483648, -9223372036854775808, 12345678901234567890.123456789, 0.0001, 1e-20, 1e-20, -1.23, false, 4294967295),
    (3, 32767, 2147483647, 9223372036854775807, 'NaN', NULL, 'NaN', 'NaN', 0, NULL, 0),
    (4, 0, 0, 9007199254740993, 0, 0, 0, 0, 0, false, 0),
    (5, NULL, NULL, -1, 1e-20, 99999999.9999, 'Infinity', 'Infinity', NULL, true, NULL),
    (6, 6, 6, 6, 1e30, 6, 16777216, 5e-324, 6, true, 6),
    (7, 7, 7, 7, 7, 7, 3.4028235e38, 1.7976931348623157e308, 7, true, 7);

CREATE TABLE public.moments (
    id int PRIMARY KEY, d date, t time, tz timetz, ts timestamp, tstz timestamptz, iv interval, t0 timestamptz(0));
INSERT INTO public.moments VALUES
    (1, '2024-02-29', '12:34:56.123456', '12:00:00+00', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.123456+00', '1 mon', '2024-02-29 12:34:56+00'),
    (2, 'infinity', '00:00:00', '23:59:59.999999-11:30', 'infinity', '-infinity', '24:00:00', NULL),
    (3, '0044-03-15 BC', '24:00:00', NULL, '2000-01-01 00:00:00.000001', '2000-01-01 00:00:00.000001+00', '1 year', NULL),
    (4, '9999-12-31', NULL, '12:00:00+02', '294276-12-31 23:59:59.999999', '2024-10-27 01:30:00+01', '-1 day +01:00:00.000001', NULL);

CREATE TABLE public.blobs (id int PRIMARY KEY, by bytea, bi bit(8), vb bit varying, u uuid);
INSERT INTO public.blobs VALUES
    (1, '\x00ff10', B'10000001', B'01', '00000000-0000-0000-0000-000000000001'),
    (2, '', B'00000000', B'', NULL), (3, NULL, NULL, NULL, NULL), (4, '\x5c785c', B'11111111', B'0001', NULL);

CREATE TABLE public.documents (id int PRIMARY KEY, j json, jb jsonb);
INSERT INTO public.documents VALUES
    (1, '{"a": 1, "b": 2}', '{"a": 1.10, "b": {"c": [1, 2, {"d": "x"}]}}'),
    (2, '{"a": 1, "a": 2}', 'null'), (3, NULL, NULL), (4, '[1.0, 1.00]', '[1, "1", true, null]'),
    (5, '"\u00e9"', '{}'), (6, '{}', '[]'), (7, '1e2', '{"": "", "n": 12345678901234567890.1}');

CREATE TABLE public.arrays (id int PRIMARY KEY, t text[], i int[], n numeric[], d date[]);
INSERT INTO public.arrays VALUES
    (1, '{a,b}', '{1,2,3}', '{1.10,2}', '{2024-01-01}'),
    (2, '{}', '[0:2]={1,2,3}', '{}', NULL),
    (3, NULL, '{{1,2},{3,4}}', '{NaN}', '{}'),
    (4, '{a,NULL}', '{1,NULL}', NULL, '{infinity}'),
    (5, '{""}', '[2:3][5:6]={{1,2},{3,4}}', '{{1.0},{2.0}}', NULL),
    (6, '{"a,b",c}', '{1,1,2}', '{1}', NULL);

CREATE TABLE public.people (
    id int PRIMARY KEY, home public.address, homes public.address[], feels public.mood, feelings public.mood[],
    age public.positive, ages public.positive[], mail public.email);
INSERT INTO public.people VALUES
    (1, ROW('Main St', 'Berlin', 10115), ARRAY[ROW('a', 'b', 1)]::public.address[], 'sad', '{sad,ok}', 30, '{1,2}', 'a@b'),
    (2, ROW(NULL, NULL, NULL), '{}', 'happy', '{}', 1, NULL, 'b@c'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, 'c@d'),
    (4, ROW('', NULL, 0), NULL, 'it''s "odd"', NULL, 4, NULL, 'd@e'),
    (5, ROW('a,b', 'c', 1), NULL, 'ok', NULL, 5, NULL, 'e@f');

CREATE TABLE public.spans (
    id int PRIMARY KEY, i int4range, n numrange, t tsrange, tz tstzrange, d daterange, c public.cents);
INSERT INTO public.spans VALUES
    (1, '[1,5)', '[1.5,2.5)', '[2024-01-01,2024-01-02)', '[2024-01-01 00:00+00,2024-01-02 00:00+00)', '[2024-01-01,2024-02-01)', '[100,200)'),
    (2, 'empty', 'empty', '[2024-01-01,)', '(,)', '[2024-01-01,)', '(,100]'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE public.networks (id int PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO public.networks VALUES
    (1, '10.0.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
    (2, '10.0.0.1', '2001:db8::/32', NULL, NULL), (3, '::ffff:10.0.0.1', NULL, NULL, NULL);

CREATE TABLE public.shapes (
    id int PRIMARY KEY, p point, l line, s lseg, b box, pa path, po polygon, c circle);
INSERT INTO public.shapes VALUES
    (1, '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0))', '<(0,0),1>'),
    (2, '(0,0)', NULL, NULL, NULL, '[(0,0),(1,1)]', NULL, NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE public.searchable (id int PRIMARY KEY, v tsvector, q tsquery, p jsonpath);
INSERT INTO public.searchable VALUES
    (1, 'fat:1A cat:2 rat:3', 'fat & cat', '$.a[*]'), (2, '', NULL, NULL), (3, 'cat dog', 'cat | dog', '$');

CREATE TABLE public."Order" (
    "Select" int PRIMARY KEY, "from" text, "mixed Case" text, "quo""te" text, "back\slash" text, "%s {}" text);
INSERT INTO public."Order" VALUES (1, 'a', 'b', 'c', 'd', 'e'), (2, NULL, '', 'c', 'd', 'e');

CREATE TABLE "Odd ""Schema"""."Odd.Table" ("a.b" int PRIMARY KEY, "c d" text);
INSERT INTO "Odd ""Schema"""."Odd.Table" VALUES (1, 'x'), (2, 'y');

CREATE TABLE archive.texts (id int PRIMARY KEY, a text);
INSERT INTO archive.texts VALUES (1, 'old'), (2, 'older');

CREATE TABLE public.nothing ();
CREATE TABLE public.empty (id int PRIMARY KEY, v text);

DO $$
BEGIN
    IF pg_temp.has('xml') THEN
        CREATE TABLE public.markup (id int PRIMARY KEY, x xml);
        INSERT INTO public.markup VALUES (1, '<a b="1">x</a>'), (2, '<a/>');
    END IF;
    IF pg_temp.has('citext') THEN
        CREATE TABLE public.caseless (id int PRIMARY KEY, v public.citext UNIQUE);
        INSERT INTO public.caseless VALUES (1, 'One'), (2, 'two');
    END IF;
    IF pg_temp.has('hstore') THEN
        CREATE TABLE public.stores (id int PRIMARY KEY, h public.hstore);
        INSERT INTO public.stores VALUES (1, 'a=>1, b=>NULL'), (2, '');
    END IF;
    IF pg_temp.has('vector') THEN
        CREATE TABLE public.embeddings (id int PRIMARY KEY, v public.vector(3));
        INSERT INTO public.embeddings VALUES (1, '[1,2,3]'), (2, '[0,0,0]');
    END IF;
END $$;

-- As text: an older server would refuse to parse it even where it is not reached.
DO $$
BEGIN
    IF pg_temp.since(14) THEN
        EXECUTE 'CREATE TABLE public.multispans (id int PRIMARY KEY, n nummultirange)';
        EXECUTE 'INSERT INTO public.multispans VALUES (1, ''{[1,2),[3,4)}''), (2, ''{}''), (3, NULL)';
    END IF;
    IF pg_temp.since(15) THEN
        EXECUTE 'CREATE TABLE public.singles (k int, v text, CONSTRAINT singles_k UNIQUE NULLS NOT DISTINCT (k))';
        EXECUTE 'INSERT INTO public.singles VALUES (1, ''one''), (NULL, ''none'')';
    END IF;
    IF pg_temp.since(18) THEN
        EXECUTE 'CREATE TABLE public.modern (
            id int PRIMARY KEY, a int CONSTRAINT a_given NOT NULL, b int GENERATED ALWAYS AS (a * 2) VIRTUAL,
            c int, p int REFERENCES public.modern, CONSTRAINT c_small CHECK (c < 100))';
        EXECUTE 'INSERT INTO public.modern VALUES (1, 1, DEFAULT, 1, NULL), (2, 2, DEFAULT, 2, 1)';
    END IF;
END $$;

-- Keys ---------------------------------------------------------------------------------

CREATE TABLE public.journal (what text, n int);
INSERT INTO public.journal VALUES
    ('a', 1), ('a', 1), ('a', 1), ('b', 2), (NULL, NULL), (NULL, NULL), ('c', NULL), ('', 0);
CREATE TABLE public.pairs (a text, b text, v int, PRIMARY KEY (a, b));
INSERT INTO public.pairs VALUES ('a', 'bc', 1), ('x|', 'y', 2), ('p', 'q', 3), ('p', 'r', 4);
CREATE TABLE public.codes (code text PRIMARY KEY, label text);
INSERT INTO public.codes VALUES ('alpha', 'A'), ('beta', 'B'), (E'caf\u00e9', 'C'), ('', 'D');
CREATE TABLE public.bigkeys (id bigint PRIMARY KEY, v text);
INSERT INTO public.bigkeys VALUES (1, 'one'), (-1, 'minus one'), (2, 'same'), (17179869184, 'same'), (9223372036854775807, 'last');
CREATE TABLE public.timekeys (at timestamptz PRIMARY KEY, v text);
INSERT INTO public.timekeys VALUES ('2000-01-01 00:00:00.000001+00', 'x'), ('2024-01-01 00:00+00', 'y');
CREATE TABLE public.uuids (id uuid PRIMARY KEY, v text);
INSERT INTO public.uuids VALUES
    ('11111111-1111-1111-1111-111111111111', 'x'), ('22222222-2222-2222-2222-222222222222', 'y');
CREATE TABLE public.optional (k text UNIQUE, v text);
INSERT INTO public.optional VALUES (NULL, 'one'), (NULL, 'two'), ('k', 'three'), ('l', 'four');
CREATE TABLE public.numkeys (n numeric PRIMARY KEY, v text);
INSERT INTO public.numkeys VALUES (1.0, 'x'), (2, 'y');
CREATE TABLE public.floatkeys (f double precision PRIMARY KEY, v text);
INSERT INTO public.floatkeys VALUES (0, 'x'), ('NaN', 'y');

-- Parents and children -----------------------------------------------------------------

CREATE TABLE public.parents (id serial PRIMARY KEY, name text NOT NULL UNIQUE, note text);
CREATE TABLE public.children (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent_id int,
    CONSTRAINT children_parent FOREIGN KEY (parent_id) REFERENCES public.parents ON DELETE CASCADE,
    name text);
CREATE TABLE public.grandchildren (
    id int PRIMARY KEY, child_id int NOT NULL,
    CONSTRAINT grandchildren_child FOREIGN KEY (child_id) REFERENCES public.children DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE public.tree (
    id int PRIMARY KEY, up int CONSTRAINT tree_up REFERENCES public.tree ON DELETE SET NULL, name text);
CREATE TABLE public.links (
    id int PRIMARY KEY, a text, b text,
    CONSTRAINT links_pair FOREIGN KEY (a, b) REFERENCES public.pairs (a, b) MATCH FULL ON UPDATE CASCADE);
INSERT INTO public.parents (name, note) VALUES ('first', NULL), ('second', ''), ('third', 'x');
INSERT INTO public.children (parent_id, name) VALUES (1, 'one'), (1, 'two'), (2, 'three'), (NULL, 'four');
INSERT INTO public.grandchildren VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO public.tree VALUES (1, NULL, 'root'), (2, 1, 'left'), (3, 1, 'right'), (4, 2, 'leaf'), (5, 5, 'own');
INSERT INTO public.links VALUES (1, 'a', 'bc'), (2, 'p', 'q'), (3, NULL, NULL);

-- Columns and constraints --------------------------------------------------------------

CREATE FUNCTION public.net_of(gross numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT gross * 0.8';
CREATE TABLE public.invoices (
    id int PRIMARY KEY, gross numeric NOT NULL, net numeric GENERATED ALWAYS AS (public.net_of(gross)) STORED);
INSERT INTO public.invoices (id, gross) VALUES (1, 100), (2, 250.50);

CREATE TABLE public.products (
    id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, sku varchar(20) NOT NULL CONSTRAINT products_sku UNIQUE,
    title text COLLATE "C", price numeric(10,2) NOT NULL CONSTRAINT price_not_negative CHECK (price >= 0),
    qty int DEFAULT 0, total numeric GENERATED ALWAYS AS (price * qty) STORED, added timestamptz(3) DEFAULT now(),
    tags text[] DEFAULT '{}', unused text);
ALTER TABLE public.products ADD CONSTRAINT qty_sane CHECK (qty BETWEEN 0 AND 1000) NOT VALID;
INSERT INTO public.products (sku, title, price, qty, added) VALUES
    ('A-1', 'Apple', 1.50, 10, '2024-01-01+00'), ('B-2', 'Bread', 2.00, 0, '2024-01-02+00'),
    ('C-3', NULL, 0, 3, '2024-01-03+00');
CREATE INDEX products_title ON public.products (title DESC NULLS LAST) INCLUDE (price);
CREATE INDEX products_price ON public.products (price) WHERE price > 1;
CREATE INDEX products_tags ON public.products USING gin (tags);
CREATE STATISTICS public.products_stats (dependencies, ndistinct) ON sku, title FROM public.products;
COMMENT ON TABLE public.products IS 'what is for sale';
COMMENT ON COLUMN public.products.price IS 'in euros';
COMMENT ON CONSTRAINT price_not_negative ON public.products IS 'nothing is given away';
COMMENT ON INDEX public.products_title IS 'for the catalogue';
ALTER TABLE public.products ALTER COLUMN title SET STATISTICS 500;

CREATE TABLE public.accounts (id int PRIMARY KEY, email text NOT NULL, active boolean NOT NULL);
CREATE UNIQUE INDEX accounts_email ON public.accounts (lower(email)) WHERE active;
INSERT INTO public.accounts VALUES (1, 'A@x', true), (2, 'a@x', false), (3, 'b@x', true);

CREATE TABLE public.bookings (
    id int PRIMARY KEY, during tsrange, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));
INSERT INTO public.bookings VALUES (1, '[2024-01-01,2024-01-02)'), (2, '[2024-01-03,2024-01-04)');

CREATE TABLE public.events (id int, at date, kind text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.events_2023 PARTITION OF public.events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.events_rest PARTITION OF public.events DEFAULT;
INSERT INTO public.events VALUES (1, '2023-05-05', 'a'), (2, '2024-05-05', 'b'), (3, '2030-01-01', 'c');

CREATE TABLE public.vehicles (id int PRIMARY KEY, name text);
CREATE TABLE public.cars (doors int) INHERITS (public.vehicles);
CREATE TABLE public.bikes (LIKE public.vehicles) INHERITS (public.vehicles);
INSERT INTO public.vehicles VALUES (1, 'tractor'), (2, 'tank');
INSERT INTO public.cars VALUES (3, 'beetle', 3);
INSERT INTO public.bikes VALUES (4, 'hollandrad');

-- Views, functions, triggers, policies, rules --------------------------------------------

CREATE VIEW public.cheap AS SELECT id, sku, price FROM public.products WHERE price < 2;
CREATE VIEW public.guarded WITH (security_barrier = true) AS SELECT id, email FROM public.accounts WHERE active
    WITH LOCAL CHECK OPTION;
COMMENT ON VIEW public.cheap IS 'for savers';
CREATE MATERIALIZED VIEW public.stock AS SELECT sku, sum(qty) AS qty FROM public.products GROUP BY sku;
CREATE UNIQUE INDEX stock_sku ON public.stock (sku);
CREATE MATERIALIZED VIEW public.later AS SELECT count(*) AS n FROM public.products WITH NO DATA;

CREATE FUNCTION public.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION public.twice(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT t || t';
CREATE FUNCTION public.greet(name text, greeting text DEFAULT 'hello') RETURNS text LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN greeting || ' ' || name; END $$;
CREATE PROCEDURE public.tidy(days int) LANGUAGE plpgsql AS $$ BEGIN PERFORM days; END $$;
CREATE AGGREGATE public.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
COMMENT ON FUNCTION public.twice(int) IS 'two times';
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE UPDATE ON public.parents FOR EACH ROW EXECUTE FUNCTION public.stamp();
CREATE TRIGGER always BEFORE INSERT ON public.parents FOR EACH ROW EXECUTE FUNCTION public.stamp();
ALTER TABLE public.parents ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER resting AFTER DELETE ON public.parents FOR EACH ROW EXECUTE FUNCTION public.stamp();
ALTER TABLE public.parents DISABLE TRIGGER resting;
COMMENT ON TRIGGER stamped ON public.parents IS 'on every change';

CREATE TABLE public.secrets (id int PRIMARY KEY, owner name, secret text);
INSERT INTO public.secrets VALUES (1, 'alice', 'x'), (2, 'bob', 'y');
ALTER TABLE public.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON public.secrets FOR SELECT USING (owner = CURRENT_USER);
CREATE POLICY no_delete ON public.secrets AS RESTRICTIVE FOR DELETE USING (false);

CREATE TABLE public.legacy (id int PRIMARY KEY, v text);
INSERT INTO public.legacy VALUES (1, 'x'), (2, 'y');
CREATE RULE keep AS ON DELETE TO public.legacy DO INSTEAD NOTHING;

-- Sequences and large objects ------------------------------------------------------------

CREATE SEQUENCE public.tickets INCREMENT BY 5 MINVALUE 5 MAXVALUE 1000 START WITH 10 CACHE 3 CYCLE;
SELECT setval('public.tickets', 50);
CREATE SEQUENCE public.fresh AS smallint;
CREATE SEQUENCE public.owned OWNED BY public.legacy.id;
SELECT setval('public.owned', 7, false);

SELECT lo_from_bytea(900001, '\x00ff00ff');
SELECT lo_from_bytea(900002, decode(repeat('ab', 5000), 'hex'));
SELECT lo_create(900003);
COMMENT ON LARGE OBJECT 900001 IS 'a picture';
