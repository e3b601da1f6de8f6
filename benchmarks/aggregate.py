"""One query on each of two servers at the same time: the least that a comparison can cost.

    python aggregate.py QUERY

``SOURCE`` and ``TARGET`` in the environment are the connection strings. Prints both
answers as one JSON list.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg


def main(query: str) -> None:
    def answer(dsn: str) -> list[str]:
        with psycopg.connect(dsn) as connection:
            return [str(value) for value in connection.execute(query).fetchone()]

    with ThreadPoolExecutor(2) as pool:
        print(json.dumps(list(pool.map(answer, (os.environ["SOURCE"], os.environ["TARGET"])))))


if __name__ == "__main__":
    main(sys.argv[1])
