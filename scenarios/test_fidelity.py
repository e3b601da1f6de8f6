"""Values that are easily changed on the way."""

import pytest


@pytest.mark.guarantee("fidelity")
def test_negative_zero_stays_negative(scenario, shop):
    shop.signed_zeros(scenario.source, count=2)
    scenario.restore().prove()


@pytest.mark.guarantee("fidelity")
def test_texts_that_look_like_sql_or_like_the_backup(scenario, shop):
    scenario.source.execute(
        r"""
        INSERT INTO domains (id, name, emoji, "businessType", description, "updatedAt") VALUES
        ('t1', E'first);\nINSERT INTO domains VALUES (666);', '$$', 'x', '', now()),
        ('t2', E'a\\b ''quoted'' "double"', '\', 'x', E'\\.\n--\n\\! touch canary', now()),
        ('t3', E'cr\r\nlf \u2028 line', 'NULL', 'x', '-- PostgreSQL database dump complete', now()),
        ('t4', ') ON CONFLICT (id) DO NOTHING; --', '', 'x', NULL, '9999-12-31 23:59:59.999')
        """
    )
    scenario.restore().prove()
