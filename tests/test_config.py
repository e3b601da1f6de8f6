"""The configuration: who wins, and what a bad value is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verifier.comparison import Ignore, Part, Selection
from verifier.config import (
    BACKUP,
    DIFF,
    RESTORE,
    SELFTEST,
    SETTINGS,
    VERIFY,
    Config,
    ServerKind,
    settings_of,
)
from verifier.dsn import HIDDEN, Dsn, redact, without_libpq
from verifier.errors import UsageError
from verifier.seeds import Seeds
from verifier.transfer import BackupOptions, Exclude, Format, Ids, RestoreOptions

SECRET = "s3cr3t-pa55"


@pytest.fixture
def file(tmp_path):
    """Writes the section of a ``pyproject.toml`` and returns its directory."""

    def write(section: str) -> Path:
        text = f'[project]\nname = "x"\n[tool.restore-verifier]\n{section}\n'
        (tmp_path / "pyproject.toml").write_text(text)
        return tmp_path

    return write


def refused(options=None, environ=None, directory: Path = Path("/nonexistent")) -> str:
    with pytest.raises(UsageError) as caught:
        Config.load(options or {}, environ or {}, directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_given_means_the_defaults(tmp_path):
    assert Config.load({}, {"PATH": "/bin"}, tmp_path) == Config()


def test_flag_beats_variable_beats_file_beats_default(file):
    directory = file("rows = 1000\nseed = 5\nservers = 'docker'")
    environ = {"RESTORE_VERIFIER_ROWS": "2000", "RESTORE_VERIFIER_SEED": "6"}
    config = Config.load({"rows": "3000", "seed": None}, environ, directory)
    assert (config.rows, config.seed.number, config.servers) == (3000, 6, ServerKind.DOCKER)
    assert config.implementation == Config().implementation


def test_every_setting_can_come_from_every_place(file):
    texts = {
        "servers": "external",
        "source_version": "16",
        "target_version": "18",
        "source_image": "postgres:16",
        "target_image": "postgres:18",
        "source_dsn": "postgresql://u@h/one",
        "target_dsn": "postgresql://u@h/two",
        "implementation": "pg_dump",
        "rows": "7",
        "schema": "postgresql://u@h/three",
        "seed": "8",
        "minutes": "2.5",
        "world_timeout": "12",
        "control_tables": "one, two",
        "ignore": "public.tea.updated_at: the restore stamps it",
        "schemas": "one, two",
        "tables": "one.tea, two.*",
        "columns": "name",
        "limit": "9",
        "jobs": "3",
        "only": "data, rules",
        "format": "inserts",
        "exclude": "tea: id LIKE 'demo-%'",
        "lock_timeout": "2.5",
        "ids": "local",
        "strict_ids": "true",
        "prefer": "newest:updatedAt",
        "reference": "tea.cups[*] -> cup WHERE kind = 'china'",
        "refresh": "1",
        "models": "schema.prisma",
        "style": "set",
    }
    assert {each.name for each in SETTINGS} == texts.keys()
    assert all(each.commands for each in SETTINGS)
    directory = file("\n".join(f'{each.key} = "{texts[each.name]}"' for each in SETTINGS))
    environ = {each.variable: texts[each.name] for each in SETTINGS}
    from_flags = Config.load(texts, {}, Path("/nonexistent"))
    assert from_flags == Config.load({}, environ, Path("/nonexistent"))
    assert from_flags == Config.load({}, {}, directory)
    assert from_flags.control_tables == ("one", "two")
    assert from_flags.source_dsn == Dsn.parse("postgresql://u@h/one")
    assert all(getattr(from_flags, each.name) != each.default for each in SETTINGS)


def test_the_file_holds_numbers_and_lists(file):
    config = Config.load({}, {}, file('rows = 12\ncontrol-tables = ["a", "b"]'))
    assert (config.rows, config.control_tables) == (12, ("a", "b"))


def test_an_empty_list_of_control_tables_is_a_list():
    assert Config.load({"control_tables": ""}, {}, Path("/nonexistent")).control_tables == ()


@pytest.mark.parametrize(
    "name", ["servers", "rows", "source_version", "source_dsn", "source_image"]
)
def test_an_explicitly_empty_value_is_not_taken_for_a_missing_one(name, file):
    directory = file("rows = 12\nservers = 'docker'\nsource-version = 16")
    assert "empty" in refused({name: ""}, {}, directory)
    assert "empty" in refused({}, {f"RESTORE_VERIFIER_{name.upper()}": " "}, directory)


def test_an_explicit_zero_is_not_taken_for_a_missing_value(file):
    assert "--rows is 0" in refused({"rows": 0}, {}, file("rows = 12"))
    assert "rows in [tool.restore-verifier]" in refused({}, {}, file("rows = 0"))
    assert Config.load({"seed": "0"}, {}, file("seed = 12")).seed.number == 0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("servers", "dokcer", "did you mean docker?"),
        ("servers", "dokcer", "auto, docker, embedded, external"),
        ("source_version", "16.2", "whole number"),
        ("target_version", "latest", "whole number"),
        ("target_version", "-1", "--target-version"),
        ("rows", "-5", "1 or more"),
        ("rows", "many", "'many'"),
        ("seed", "x", "--seed is 'x', and there is no such file; give a whole number, the name"),
        ("seed", ["1", "2"], "--seed is given twice"),
        ("seed", ["postgresql://u@h/a", "dbname=b"], "--seed is given twice"),
        ("seed", [], "--seed is given but empty"),
        ("seed", True, "whole number"),
        ("seed", 1.5, "whole number"),
        ("schema", "x", "there is no such file; give the name of a file of SQL that is there"),
        ("schema", "", "empty"),
        ("schema", 7, "text"),
        ("schema", "postgresql://u@v:a@h/b", "an @ too many"),
        ("rows", True, "--rows is True"),
        ("rows", 1.5, "--rows is 1.5; give a whole number of rows, 1 or more"),
        ("source_image", 18, "text"),
        ("control_tables", [1], "names"),
        ("limit", "-1", "0 or more"),
        ("jobs", "0", "1 or more"),
        ("only", "dta", "did you mean data?"),
        ("only", "data,,rulez", "data, structure, sequences, large-objects, rules"),
        ("only", "", "choose from data"),
        ("only", [], "choose from data"),
        ("tables", "", "leave it out for all"),
        ("schemas", " , ", "leave it out for all"),
        ("columns", 'a."b', "not closed"),
        ("ignore", ["tea"], "gives no reason; give it as 'TABLE: REASON'"),
        ("ignore", ["tea.name:  "], "gives no reason"),
        ("ignore", [": why"], "names no table"),
        ("ignore", [""], "names no table"),
        ("ignore", "", "names no table"),
        ("ignore", 3, "'TABLE: REASON'"),
        ("ignore", ['"tea: x'], "not closed"),
        ("format", "insert", "did you mean inserts?"),
        ("ids", "locl", "did you mean local?"),
        ("exclude", ["tea"], "gives no condition; give it as 'TABLE: CONDITION'"),
        ("exclude", ["a.b.c: true"], "a.b.c is no table"),
        ("exclude", [": true"], "names no table"),
        ("exclude", "", "names no table"),
        ("lock_timeout", "0", "0.001 or more"),
        ("lock_timeout", -1, "0.001 or more"),
        ("lock_timeout", "nan", "a number of seconds"),
        ("lock_timeout", "inf", "a number of seconds"),
        ("lock_timeout", "2147484", "at most 2147483"),
        ("lock_timeout", "1s", "a number of seconds"),
        ("lock_timeout", True, "a number of seconds"),
        ("lock_timeout", "", "empty"),
        ("strict_ids", "yes", "--strict-ids is 'yes'; give true or false"),
        ("refresh", 1, "give true or false"),
        ("refresh", "", "empty"),
        ("prefer", "updatedAt", "give it as newest:COLUMN"),
        ("prefer", "newest:", "give it as newest:COLUMN"),
        ("prefer", "newest:a.b", "the name of one column"),
        ("models", "", "empty"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(name, value, told):
    assert told in refused({name: value})


def test_a_seed_is_a_number_or_rows_or_both(file):
    rows = file("") / "rows.sql"
    rows.touch()
    nowhere = Path("/nonexistent")

    def seed(given: object) -> Seeds:
        return Config.load({"seed": given}, {}, nowhere).seed

    assert seed(str(rows)) == Seeds(rows=rows)
    assert seed("-3") == seed(["-3"]) == seed(-3) == Seeds(-3)
    assert seed(["7", str(rows)]) == seed([str(rows), "7"]) == Seeds(7, rows)
    environ = {"RESTORE_VERIFIER_SEED": f"7\n{rows}"}
    assert Config.load({}, environ, nowhere).seed == Seeds(7, rows)
    assert Config.load({}, {}, file(f"seed = [7, '{rows}']")).seed == Seeds(7, rows)


def test_databases_to_go_by_hide_their_password_and_are_completed():
    dsn = f"postgresql://u:{SECRET}@h/shop"
    given = {"schema": dsn, "seed": dsn}
    config = Config.load(given, {"PGPORT": "7"}, Path("/nonexistent"))
    assert config.schema == config.seed.rows == Dsn.parse(dsn).with_(port="7")
    assert config.dsns == (config.schema, config.seed.rows)
    assert SECRET not in f"{config.seed}{config!r}"
    assert Config.from_plain(config.to_plain()) == config


def test_deliberate_differences_come_from_everywhere(file):
    tea, pot = Ignore("tea.stamp", "set anew: on purpose"), Ignore('"a.b: c"."d"', 'said "so')
    lines = [str(tea), str(pot)]
    expected = (tea, pot)
    assert Config.load({"ignore": lines}, {}, Path("/nonexistent")).ignore == expected
    environ = {"RESTORE_VERIFIER_IGNORE": "\n".join(["", *lines, ""])}
    assert Config.load({}, environ, Path("/nonexistent")).ignore == expected
    directory = file(f"ignore = {json.dumps(lines)}")
    assert Config.load({}, {}, directory).ignore == expected
    config = Config.load({"ignore": lines}, {}, directory)
    assert Config.from_plain(config.to_plain()) == config


def test_a_condition_keeps_its_colons_and_quotes():
    lines = ["shop.tea: name::text LIKE 'demo:%'", '"a: b": "x" = 1']
    given = {"exclude": lines}
    config = Config.load(given, {}, Path("/nonexistent"))
    assert config.exclude == (
        Exclude("shop.tea", "name::text LIKE 'demo:%'"),
        Exclude('"a: b"', '"x" = 1'),
    )
    assert Config.from_plain(config.to_plain()) == config


@pytest.mark.parametrize("given", ["1", "true", " TRUE ", True, "0", "false", "False", False])
def test_what_is_on_or_off(given, file):
    expected = given in ("1", "true", " TRUE ", True)
    assert Config.load({"refresh": given}, {}, file("refresh = true")).refresh is expected
    assert Config.load({}, {"RESTORE_VERIFIER_REFRESH": str(given)}, file("")).refresh is expected


def test_a_number_of_the_file_may_be_a_part_of_a_second(file):
    assert Config.load({}, {}, file("lock-timeout = 0.5")).lock_timeout == 0.5
    assert Config.load({}, {}, file("lock-timeout = 3")).lock_timeout == 3


@pytest.mark.parametrize(
    ("given", "column"),
    [("newest:updatedAt", "updatedAt"), ('newest: "a.b""c" ', 'a.b"c'), ("newest:a b", "a b")],
)
def test_the_column_that_says_what_is_newest(given, column):
    config = Config.load({"prefer": given}, {}, Path("/nonexistent"))
    assert config.restore(quarantine=None, dry_run=False).prefer == column
    assert Config.from_plain(config.to_plain()) == config


def test_what_a_restore_and_a_backup_are_asked_for():
    given = {"ids": "local", "strict_ids": False, "refresh": True, "lock_timeout": "2"}
    given |= {"models": "a/schema.prisma", "control_tables": "x", "format": "inserts"}
    given |= {"exclude": ["t: true"]}
    config = Config.load(given, {}, Path("/nonexistent"))
    quarantine = Path("q")
    assert config.restore(quarantine=quarantine, dry_run=True) == RestoreOptions(
        control_tables=("x",),
        ids=Ids.LOCAL,
        quarantine=quarantine,
        dry_run=True,
        refresh=True,
        lock_timeout=2,
        models=Path("a/schema.prisma"),
    )
    assert config.backup == BackupOptions(
        format=Format.INSERTS,
        exclude=(Exclude("t", "true"),),
        control_tables=("x",),
        lock_timeout=2,
    )
    own = ("_prisma_migrations", "InitialLoadSessions")
    assert Config().backup == BackupOptions(control_tables=own)
    nothing = Config().restore(quarantine=None, dry_run=False)
    assert nothing == RestoreOptions(control_tables=own)


def test_commas_in_quotes_do_not_separate_names():
    given = {"tables": 'one, "two, three".tea, "f""o,ur"', "schemas": ["a,b"]}
    config = Config.load(given, {}, Path("/nonexistent"))
    assert config.tables == ("one", '"two, three".tea', '"f""o,ur"')
    assert config.schemas == ("a,b",)


def test_what_is_selected_for_a_comparison():
    given = {"only": "rules,data", "limit": "0", "jobs": "4", "tables": "a", "columns": "b"}
    given |= {"schemas": "s", "ignore": ["t: because"]}
    selection = Config.load(given, {}, Path("/nonexistent")).selection
    assert selection == Selection(
        parts=frozenset((Part.DATA, Part.RULES)),
        schemas=("s",),
        tables=("a",),
        columns=("b",),
        ignored=(Ignore("t", "because"),),
        limit=0,
        jobs=4,
    )
    assert Config().selection == Selection()


def test_each_command_has_settings_of_its_own():
    verify, diff, selftest = (
        {each.name for each in settings_of(command)} for command in (VERIFY, DIFF, SELFTEST)
    )
    backup, restore = ({each.name for each in settings_of(name)} for name in (BACKUP, RESTORE))
    assert verify & diff == {"source_dsn", "target_dsn"}
    assert backup & restore == {"control_tables", "lock_timeout"}
    assert verify & backup == {"control_tables", "source_dsn"}
    assert verify & restore == {"control_tables", "target_dsn"}
    assert selftest < verify
    assert "implementation" not in selftest


def test_a_setting_is_called_what_the_user_called_it():
    with pytest.raises(UsageError, match=r"^SOURCE_DSN: the connection string cannot be read"):
        Config.load({"source_dsn": "x"}, {}, Path("/nonexistent"), {"source_dsn": "SOURCE_DSN"})


def test_an_unknown_variable_is_refused_with_the_closest_match():
    told = refused({}, {"RESTORE_VERIFIER_SEVERS": "docker"})
    assert "RESTORE_VERIFIER_SEVERS (did you mean RESTORE_VERIFIER_SERVERS?)" in told


def test_an_unknown_key_of_the_file_is_refused_with_the_closest_match(file):
    told = refused({}, {}, file("source_version = 16"))
    assert "source_version" in told
    assert "did you mean source-version?" in told


def test_a_section_in_another_spelling_is_not_passed_over(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.restore_verifier]\nrows = 3\n")
    assert "write [tool.restore-verifier]" in refused({}, {}, tmp_path)


def test_the_table_of_an_implementation_in_the_singular_is_told_the_plural(tmp_path):
    (tmp_path / "restore-verifier.toml").write_text("[implementation.acme]\npython = 'a:b'\n")
    told = refused({"implementation": "acme"}, {}, tmp_path)
    assert "write [implementations.NAME]" in told


@pytest.mark.parametrize("text", ["[tool", "[tool]\nrestore-verifier = 3", "\udcff"])
def test_a_file_that_cannot_be_read_is_refused(text, tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert str(tmp_path / "pyproject.toml") in refused({}, {}, tmp_path)


@pytest.mark.parametrize("text", [f"password={SECRET} host", f"postgresql://u:{SECRET}@h/%zz"])
def test_a_bad_connection_string_is_refused_without_repeating_it(text):
    told = refused({"source_dsn": text})
    assert told.startswith("--source-dsn")
    assert SECRET not in told


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("postgresql://u:p?s@h/db", "password", "p?s"),
        ("postgres://u:p%40s@[::1]:5433,b:1/db?application_name=x@y", "password", "p@s"),
        ("postgresql:///db?host=@abstract", "host", "@abstract"),
        ("host=/run/a@b dbname=c@d", "host", "/run/a@b"),
        ("postgresql://", "dbname", None),
    ],
)
def test_an_at_sign_where_it_may_stand(text, name, value):
    found = Config.load({"source_dsn": text}, {}, Path("/nonexistent")).source_dsn
    assert found is not None
    assert found.parameters.get(name) == value


def test_no_password_is_shown_by_the_configuration():
    config = Config.load({"source_dsn": f"postgresql://u:{SECRET}@h/db"}, {}, Path("/nonexistent"))
    assert SECRET not in f"{config} {config!r}"
    assert config.source_dsn is not None
    assert config.source_dsn.password == SECRET


def test_the_plain_form_carries_everything_to_another_process():
    given = {
        "source_dsn": f"postgresql://u:{SECRET}@h:5433/db?sslmode=require",
        "servers": "external",
        "control_tables": "",
        "rows": "9",
    }
    config = Config.load(given, {}, Path("/nonexistent"))
    plain = config.to_plain()
    kinds = {type(value) for value in plain.values()}
    assert kinds <= {str, int, float, bool, list, dict, type(None)}, (
        "only what every serialiser knows"
    )
    assert Config.from_plain(plain) == config


def completed(text: str, **environ: str) -> str:
    given = {"source_dsn": text}
    dsn = Config.load(given, environ, Path("/nonexistent")).source_dsn
    assert dsn is not None
    return dsn.url


def test_what_a_dsn_leaves_out_comes_from_libpqs_variables():
    login = {"PGUSER": "ann", "PGPASSWORD": SECRET, "PGPORT": "", "PGSSLMODE": "verify-full"}
    assert completed("host=db dbname=shop sslmode=require", **login) == (
        f"postgresql://ann:{SECRET}@db/shop?sslmode=require"
    )


def test_no_variable_leads_a_dsn_away_from_its_host():
    elsewhere = {"PGHOST": "prod", "PGHOSTADDR": "10.0.0.1", "PGSERVICE": "prod"}
    assert completed("postgresql://u@db/shop", **elsewhere) == "postgresql://u@db/shop"
    assert completed("dbname=shop", PGHOST="db") == "postgresql://db/shop"


def test_a_service_fills_in_what_is_left_out():
    login = {"PGUSER": "ann", "PGPASSWORD": SECRET}
    assert completed("dbname=shop", PGSERVICE="db", **login) == "postgresql:///shop?service=db"
    assert completed("service=db", **login) == "postgresql:///?service=db"


def test_only_libpqs_variables_are_taken_away():
    others = {"PATH": "/bin", "PGBACKREST_STANZA": "main", "PGPASSFILE": "/home/ann/.pgpass"}
    libpqs = dict.fromkeys(("PGHOST", "PGSERVICE", "PGOPTIONS", "PGTZ", "PGCLIENTENCODING"), "x")
    assert without_libpq(others | libpqs) == others


@pytest.mark.parametrize(
    "password", ["it's", 'a "b"', "back\\slash 'n' \"all\"", "50%/@:?", "käse 緑", "p+q r", "%2541"]
)
def test_a_password_is_hidden_however_it_is_written(password):
    dsn = Dsn({"host": "db", "password": password})
    text = "\n".join(
        (dsn.conninfo, dsn.url, str(dsn.parameters), json.dumps(password), ascii([password]))
    )
    assert redact(text, dsn).count(HIDDEN) == 5
    assert redact(f"{password} and the rest", dsn) == f"{HIDDEN} and the rest"


def acme(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path.parent


OWN = 'rows = 12\n[implementations.acme]\nbackup = "pg_dump"\n'


def test_a_file_of_our_own_has_the_settings_at_its_top(tmp_path):
    config = Config.load({}, {}, acme(tmp_path / "restore-verifier.toml", OWN))
    assert config.rows == 12
    assert config.definitions.tables == {"acme": {"backup": "pg_dump"}}
    assert config.definitions.directory == tmp_path
    told = refused({}, {}, acme(tmp_path / "restore-verifier.toml", "row = 12"))
    assert f"unknown key in {tmp_path}/restore-verifier.toml, row (did you mean rows?)" in told
    told = refused({}, {}, acme(tmp_path / "restore-verifier.toml", "implementations = 3"))
    assert "is no table; write [implementations.NAME]" in told


def test_a_pyproject_configures_implementations_too(file):
    config = Config.load({}, {}, file("[tool.restore-verifier.implementations.acme]\nx = 1"))
    assert config.definitions.tables == {"acme": {"x": 1}}
    assert config.definitions.name == "tool.restore-verifier.implementations"


def test_both_files_in_one_directory_are_refused_unless_one_is_chosen(file):
    directory = file("rows = 9")
    acme(directory / "restore-verifier.toml", OWN)
    assert "keep one of them, or choose one with --config" in refused({}, {}, directory)
    for name, rows in (("pyproject.toml", 9), ("restore-verifier.toml", 12)):
        assert Config.load({"config": str(directory / name)}, {}, directory).rows == rows
    # A pyproject.toml that is about something else says nothing.
    (directory / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert Config.load({}, {}, directory).rows == 12


def test_a_chosen_file_is_the_only_one_that_is_read(file, tmp_path):
    directory = file("rows = 9\nseed = 5")
    chosen = acme(tmp_path / "elsewhere" / "acme.toml", OWN) / "acme.toml"
    for given in (({"config": str(chosen)}, {}), ({}, {"RESTORE_VERIFIER_CONFIG": str(chosen)})):
        config = Config.load(*given, directory)
        assert (config.rows, config.seed) == (12, Seeds())
        assert config.definitions.directory == chosen.parent
    both = {"config": str(chosen)}, {"RESTORE_VERIFIER_CONFIG": "/nowhere"}
    assert Config.load(*both, directory).rows == 12
    assert "there is no configuration file nowhere.toml" in refused({"config": "nowhere.toml"})
    assert "--config is given but empty" in refused({"config": ""})


def test_the_implementations_cross_to_another_process_with_their_place(tmp_path):
    text = OWN + "timeout = 1.5\nyes = true\nlist = [1, { a = 2 }]\nday = 2024-01-01\n"
    config = Config.load({}, {}, acme(tmp_path / "restore-verifier.toml", text))
    plain = json.loads(json.dumps(config.to_plain()))
    found = Config.from_plain(plain).definitions
    table = {"backup": "pg_dump", "timeout": 1.5, "yes": True, "list": [1, {"a": 2}]}
    assert found.tables == {"acme": {**table, "day": "2024-01-01"}}
    assert (found.name, found.file, found.directory) == (
        "implementations",
        str(tmp_path / "restore-verifier.toml"),
        tmp_path,
    )


def test_the_mark_of_a_call_is_no_setting():
    """A program under test may be this one."""
    environ = {"RESTORE_VERIFIER_CALL": "a mark"}
    assert Config.load({}, environ, Path("/nonexistent")) == Config()
