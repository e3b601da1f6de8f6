"""Which servers a run uses, decided and checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from verifier.config import Config, ServerKind
from verifier.errors import ServerError, ServerUnavailable, UsageError
from verifier.servers import embedded, external, lifecycle
from verifier.servers.base import Pair


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of servers that can be started, and why this one."""

    kind: ServerKind
    reason: str
    """For the header: ``embedded 18 → 18: the docker engine did not answer within 2 s``."""
    _start: Callable[[], Pair] = field(repr=False)

    def start(self) -> Pair:
        """Start a pair; each call starts another one, independent of the rest.

        Raises :class:`ServerUnavailable`.
        """
        lifecycle.exit_on_termination()
        return self._start()


def choose(config: Config) -> Choice:
    """The servers that ``config`` asks for, known to be available (images are pulled).

    Raises :class:`UsageError` or :class:`ServerUnavailable` in one sentence.
    """
    _refuse_contradictions(config)
    if config.servers is ServerKind.EXTERNAL:
        return _external(config, "asked for")
    if config.servers is ServerKind.DOCKER:
        return _docker(config, "asked for")
    if config.servers is ServerKind.EMBEDDED:
        return _embedded(config, "asked for")
    if config.source_dsn or config.target_dsn:
        return _external(config, "connection strings are given")
    if config.source_image or config.target_image:
        return _docker(config, "images are given")
    return _automatic(config)


def _automatic(config: Config) -> Choice:
    try:
        return _docker(config, "an engine answers and has the images")
    except ServerUnavailable as no_docker:
        trouble = str(no_docker).partition("; ")[0]
    try:
        return _embedded(config, trouble)
    except ServerError as error:
        raise ServerUnavailable(f"{trouble}, and without docker: {error}") from None
    except UsageError as error:
        raise UsageError(f"{trouble}, and without docker: {error}") from None


def _refuse_contradictions(config: Config) -> None:
    dsns = _given("dsn", config.source_dsn, config.target_dsn)
    images = _given("image", config.source_image, config.target_image)
    versions = _given("version", config.source_version, config.target_version)
    unused = {
        ServerKind.AUTO: images + versions if dsns else [],
        ServerKind.DOCKER: dsns,
        ServerKind.EMBEDDED: dsns + images,
        ServerKind.EXTERNAL: images + versions,
    }[config.servers]
    if unused:
        kind = ServerKind.EXTERNAL if config.servers is ServerKind.AUTO else config.servers
        raise UsageError(
            f"{unused[0]} says nothing about {kind} servers; "
            f"leave it out, or choose other --servers"
        )


def _given(what: str, source: object, target: object) -> list[str]:
    values = {"source": source, "target": target}
    return [f"--{side}-{what}" for side, value in values.items() if value is not None]


def _external(config: Config, why: str) -> Choice:
    source, target = config.source_dsn, config.target_dsn
    if source is None or target is None:
        missing = "--source-dsn" if source is None else "--target-dsn"
        raise UsageError(
            f"external servers need a connection string for each side and {missing} is missing; "
            f"give it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    versions = external.check(source, target)
    return Choice(
        ServerKind.EXTERNAL,
        _reason("external", versions, why),
        lambda: external.start_pair(source, target),
    )


def _embedded(config: Config, why: str) -> Choice:
    default = embedded.DEFAULT_MAJOR
    source = default if config.source_version is None else config.source_version
    target = default if config.target_version is None else config.target_version
    for major in (source, target):
        embedded.check(major)
    return Choice(
        ServerKind.EMBEDDED,
        _reason("embedded", (str(source), str(target)), why),
        lambda: embedded.start_pair(source, target, rows=config.rows),
    )


def _docker(config: Config, why: str) -> Choice:
    # Imported here: most of a second that runs without containers need not wait.
    from verifier.servers import docker, engine

    source = _image(config.source_image, config.source_version)
    target = _image(config.target_image, config.target_version)
    trouble = engine.engine_trouble()
    if trouble is not None:
        raise ServerUnavailable(f"the docker engine {trouble}; start it, or use --servers embedded")
    for image in dict.fromkeys((source, target)):
        trouble = engine.image_trouble(image)
        if trouble is not None:
            raise ServerUnavailable(
                f"{trouble}; check the name with 'docker pull {image}', or use --servers embedded"
            )
    return Choice(
        ServerKind.DOCKER,
        _reason("docker", (source, target), why),
        lambda: docker.start_pair(source, target),
    )


def _image(image: str | None, version: int | None) -> str:
    if image is not None:
        return image
    if version is not None and version < external.OLDEST_MAJOR:
        raise UsageError(
            f"PostgreSQL {version} is too old for this verifier; "
            f"choose {external.OLDEST_MAJOR} or later"
        )
    return f"postgres:{embedded.DEFAULT_MAJOR if version is None else version}"


def _reason(kind: str, sides: tuple[str, str], why: str) -> str:
    return f"{kind} {sides[0]} → {sides[1]}: {why}"
