"""The pytest plugin: options, the servers of a run, and the ``scenario`` fixture.

One :class:`~verifier.run.Run` per process. Under pytest-xdist the controlling process reads
the configuration and chooses the servers once; every worker gets that choice and
starts its own pair on it, so that no worker can decide differently from another.
What the proofs say is collected and shown by :mod:`verifier.reporting`.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from verifier import marking
from verifier.config import VERIFY, settings_of
from verifier.errors import ServerError
from verifier.faults import Faults
from verifier.own import OwnTables
from verifier.run import DEST, SCENARIO, Run, focus, scenario_name
from verifier.scenario import Scenario
from verifier.servers import Pair
from verifier.settings import CONFIG

NAME = "restore-verifier"
"""The run among pytest's plugins; the command reads the outcome from there."""
_RUN = pytest.StashKey[Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(NAME, "restore verification")
    for setting in (CONFIG, *settings_of(VERIFY)):
        group.addoption(
            setting.flag,
            dest=DEST + setting.name,
            metavar=setting.metavar,
            action="append" if setting.repeatable else "store",
            default=None,
            help=f"{setting.help} (also {setting.variable})",
        )
    group.addoption(
        "--restore-report",
        metavar="FILE",
        default=None,
        help="write every verdict and finding to FILE, as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    marking.register(config)
    if config.option.help:
        return
    run = Run(config)
    config.stash[_RUN] = run
    config.pluginmanager.register(run, f"{NAME}-run")
    config.pluginmanager.register(run.reporter, NAME)
    run.prepare()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    focus(metafunc.definition)
    marking.need(metafunc.definition)


def pytest_itemcollected(item: pytest.Item) -> None:
    marking.spread(item)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.stash[_RUN].settings.schema is not None:
        marking.leave_out_shop(config, items)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Pair:
    """The source and the target server that the tests of this process share."""
    return request.config.stash[_RUN].shared()


@pytest.fixture
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scenario]:
    """A fresh source and target database, and the implementation under test."""
    run, item = request.config.stash[_RUN], request.node
    own = item.get_closest_marker("own_servers") is not None
    with ExitStack() as held:
        if own:
            pair = held.enter_context(run.start())
            if not (pair.source.controllable and pair.target.controllable):
                pytest.skip(
                    f"NOT VERIFIED on {pair.source.kind} servers, which are not ours to stop; "
                    "run it with --servers embedded"
                )
        else:
            pair = request.getfixturevalue("servers")
        marking.skip_unless_met(item, pair)
        made = Scenario(
            scenario_name(item),
            pair,
            run.implementation,
            config=run.settings,
            focus=focus(item),
            workdir=tmp_path,
        )
        item.stash[SCENARIO] = made
        yield made
        if not own:
            _close(made, run, request.session)


@pytest.fixture
def own(request: pytest.FixtureRequest, scenario: Scenario) -> OwnTables:
    """The tables of ``--schema`` (else of one that comes along) in the scenario's databases."""
    return OwnTables(scenario, request.config.stash[_RUN].own())


@pytest.fixture
def faults() -> Faults:
    """Makes what goes wrong: ``scenario.restore(fault=faults.cut(share=0.5))``."""
    return Faults()


def _close(made: Scenario, run: Run, session: pytest.Session) -> None:
    """Drop the scenario's databases, where there is still a server to drop them from.

    Servers of the scenario's own take their databases with them.
    """
    try:
        made.close()
    except (psycopg.Error, ServerError):
        if not run.servers_gone(session):
            raise
