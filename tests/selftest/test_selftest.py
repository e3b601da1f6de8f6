"""The self-test on real servers: it sees everything, and admits what it does not."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from verifier.comparison import Ignore, Part, Selection, Sight
from verifier.config import Config, ServerKind
from verifier.errors import ObservationError, ServerError
from verifier.oracle import compare
from verifier.selftest import MUTATIONS, run, run_on
from verifier.selftest.mutation import in_rows, in_value
from verifier.servers import Side, choose

ONE_OF_EACH = tuple(
    {
        each.where[0]: each for each in reversed(MUTATIONS) if each.since == 13 and not each.needs
    }.values()
)
"""The first mutation of every kind of place."""

A_NUMBER = in_value("a number", "numbers", 1, "i = 2")
NOTHING = in_value("nothing", "numbers", 1, "i = i")


def names(result, sight):
    return [each.name for each in result.results if each.sight is sight]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target", "first", "each"),
    # Each of them on one pair; the command runs all of them on every pair.
    [(16, 18, 0, 2), (18, 18, 1, 4), (16, 16, 3, 4)],
)
def test_every_mutation_is_seen(source, target, first, each):
    told, mutations = [], MUTATIONS[first::each]
    config = Config(servers=ServerKind.EMBEDDED, source_version=source, target_version=target)
    result = run(config, told.append, mutations=mutations)
    assert [each for each in result.results if each.sight not in (Sight.SEEN, Sight.SKIPPED)] == []
    assert result.exit_code == 0
    assert result.seen == result.tried >= 400 // each
    assert tuple(told) == result.results
    assert [each.name for each in told] == [each.name for each in mutations]
    assert result.source.startswith(f"{source}.")
    assert result.target.startswith(f"{target}.")
    # What is skipped is so for want of a version or a feature, and says which.
    reasons = {each.name: each.words for each in result.results if each.sight is Sight.SKIPPED}
    lacking = {each.name for each in MUTATIONS if each.since > source or each.needs}
    assert reasons.keys() <= lacking
    assert all("PostgreSQL" in words or "offer" in words for words in reasons.values())


def test_one_mutation_of_every_kind_is_seen(servers):
    result = run_on(servers, mutations=ONE_OF_EACH)
    assert [each for each in result.results if each.sight is not Sight.SEEN] == []


def test_a_mutation_that_changes_nothing_is_an_error_of_its_own(servers):
    result = run_on(servers, mutations=[A_NUMBER, NOTHING])
    assert names(result, Sight.SEEN) == ["a number"]
    assert names(result, Sight.UNCHANGED) == ["nothing"]
    assert result.exit_code == 2


def test_a_mutation_that_fails_is_not_taken_for_seen(servers):
    broken = in_rows("a typing error", "public.numbers", "UPDATE public.nmbers SET i = 2")
    result = run_on(servers, mutations=[A_NUMBER, broken])
    (failed,) = (each for each in result.results if each.name == broken.name)
    assert failed.sight is Sight.UNKNOWN
    assert 'relation "public.nmbers" does not exist' in failed.words
    assert result.exit_code == 2


def test_a_missed_mutation_outweighs_one_that_changes_nothing(servers):
    blind = Selection(parts=frozenset(Part) - {Part.DATA})
    result = run_on(servers, mutations=[NOTHING, A_NUMBER], selection=blind)
    assert names(result, Sight.MISSED) == ["a number"]
    assert result.exit_code == 1


@pytest.mark.parametrize("part", list(Part))
def test_a_comparison_that_leaves_out_a_part_is_found_blind_there(servers, part):
    places = {
        Part.DATA: {"rows"},
        Part.STRUCTURE: {"column", "trigger", "comment"},
        Part.SEQUENCES: {"sequence position"},
        Part.LARGE_OBJECTS: {"large object"},
        Part.RULES: {"constraint"},
    }
    looked_at = set().union(*places.values())
    mutations = [each for each in ONE_OF_EACH if each.where[0] in looked_at]
    result = run_on(
        servers, mutations=mutations, selection=Selection(parts=frozenset(Part) - {part})
    )
    expected = {each.name for each in mutations if each.where[0] in places[part]}
    assert set(names(result, Sight.MISSED)) == expected
    assert result.seen == len(looked_at) - len(expected)
    assert result.exit_code == 1


def test_a_comparison_that_ignores_a_column_is_found_blind_there(servers):
    blind = Selection(ignored=(Ignore("public.numbers.i", "made blind on purpose"),))
    other = in_value("another column", "numbers", 1, "s = 2")
    result = run_on(servers, mutations=[A_NUMBER, other], selection=blind)
    assert names(result, Sight.MISSED) == ["a number"]
    assert names(result, Sight.SEEN) == ["another column"]


def test_a_difference_elsewhere_is_not_taken_for_the_one_that_was_made(servers):
    elsewhere = replace(A_NUMBER, where=("rows", "public.texts"))
    result = run_on(servers, mutations=[elsewhere])
    (mutated,) = result.results
    assert mutated.sight is Sight.MISSED
    assert "rows public.texts is not among what differs: rows of public.numbers" in mutated.words


def test_a_comparison_that_gives_up_is_not_taken_for_one_that_sees(servers):
    asked = []

    def gives_up(source, target, selection):
        asked.append(target)
        if len(asked) > 1:  # the first question is about the restore itself
            raise ObservationError("cannot look at it; try again")
        return compare(source, target, selection)

    result = run_on(servers, mutations=[A_NUMBER], compare=gives_up)
    (mutated,) = result.results
    assert (mutated.sight, mutated.words) == (Sight.UNKNOWN, "cannot look at it; try again")
    assert result.exit_code == 2


def test_a_restore_that_is_not_found_equal_stops_the_self_test(servers):
    def suspicious(source, target, selection):
        with psycopg.connect(target.conninfo, autocommit=True) as session:
            session.execute("UPDATE public.numbers SET i = 2 WHERE id = 1")
        return compare(source, target, selection)

    with pytest.raises(ObservationError, match=r"not found equal.*rows of public\.numbers"):
        run_on(servers, mutations=[A_NUMBER], compare=suspicious)


def test_what_one_server_lacks_is_skipped_with_the_reason(servers):
    newer = replace(A_NUMBER, name="newer", since=18)
    foreign = replace(A_NUMBER, name="foreign", needs="no_such_extension")
    result = run_on(servers, mutations=[newer, foreign, A_NUMBER])
    assert {each.name: each.words for each in result.results if each.sight is Sight.SKIPPED} == {
        "newer": "PostgreSQL 18 and later; the source is 16",
        "foreign": "not both servers offer no_such_extension",
    }
    assert (result.seen, result.tried, result.exit_code) == (1, 1, 0)


def test_nothing_is_left_on_the_servers(servers):
    def found(side):
        with psycopg.connect(servers.databases(side)._server.admin.conninfo) as session:
            return session.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()

    before = [found(side) for side in Side]
    run_on(servers, mutations=[A_NUMBER])
    assert [found(side) for side in Side] == before


@pytest.mark.slow
def test_a_target_that_is_older_is_refused():
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=16)
    with pytest.raises(ServerError, match="cannot go back from PostgreSQL 18 to 16"):
        run(config)


@pytest.mark.slow
def test_external_servers_will_do_and_a_plain_account_is_told_what_it_lacks():
    with choose(Config(servers=ServerKind.EMBEDDED)).start() as pair:
        external = Config(
            servers=ServerKind.EXTERNAL,
            source_dsn=pair.source.admin,
            target_dsn=pair.target.admin,
        )
        assert run(external, mutations=ONE_OF_EACH).exit_code == 0
        with psycopg.connect(pair.target.admin.conninfo, autocommit=True) as session:
            session.execute("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'hush-hush'")
        plain = pair.target.admin.with_(user="plain", password="hush-hush")
        with pytest.raises(ServerError, match="give a superuser's connection string") as refused:
            run(replace(external, target_dsn=plain), mutations=ONE_OF_EACH)
        assert "hush-hush" not in str(refused.value)


@pytest.mark.slow
def test_a_server_that_dies_meanwhile_is_an_error_not_a_result():
    with choose(Config(servers=ServerKind.EMBEDDED)).start() as pair:

        def stop(mutated):
            pair.target.stop()

        with pytest.raises(ServerError, match="cut short"):
            run_on(pair, stop, mutations=ONE_OF_EACH)
