"""The API against its own description, with requests that nobody would think of."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings

SESSION_PROBE = schemathesis.checks.ignored_auth
"""Leaves out credentials that a schema describes; ours are a cookie that it doesn't."""


def test_no_request_breaks_the_server_or_gets_an_answer_it_does_not_describe(page):
    schema = schemathesis.openapi.from_url(f"{page.url}/openapi.json")
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) == 11
    with page.client() as client:
        headers = {"x-csrf-token": client.headers["x-csrf-token"]}
        cookies = dict(client.cookies)
        for operation in operations:
            probe(operation, headers, cookies)


def probe(operation, headers, cookies):
    @settings(max_examples=20, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def try_one(case):
        case.call_and_validate(headers=headers, cookies=cookies, excluded_checks=[SESSION_PROBE])

    try_one()
