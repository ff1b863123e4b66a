"""A table of API logs as a chain of shops fills it, made by SQL.

Six rows make one payment: the request that starts it (202), three inquiries about its state, its result, and
one row of another kind (cancel, lists, reconciliation, or a message that came in). Rows are spread evenly
over 90 days, the newest last, as they are written. Everything follows from the row's number: each run makes
the same rows.
"""

import contextlib

import psycopg2

DAYS = 90
COMPANIES = 3  # they hold 80 %, 19.5 % and 0.5 % of the rows; nothing ever came in for the smallest
ROWS_PER_OPERATION = 6
# The last rows come after the last VACUUM, as in a table in use: autovacuum waits for 20 % of new rows.
UNVACUUMED = 0.1

OPERATIONS = """
INSERT INTO servipay_operation (id, name, company_id, provider, channel, kind, amount, currency_id,
    terminal_id, reference, idempotency_key, state, user_id, create_uid, write_uid, create_date, write_date)
SELECT number, 'SP' || lpad(number::text, 6, '0'), company, 'paypercloud', 'pos',
    CASE WHEN dice < 940 THEN 'purchase' WHEN dice < 980 THEN 'refund' WHEN dice < 990 THEN 'void'
         ELSE 'reconciliation' END,
    (1 + dice) / 4.0, %(currency)s, (%(terminals)s::int[])[company_number],
    'SP' || lpad(number::text, 6, '0') || '-' || left(md5(number::text), 8), md5('key' || number),
    CASE WHEN chance < 920 THEN 'approved' WHEN chance < 970 THEN 'declined'
         WHEN chance < 990 THEN 'cancelled' WHEN chance < 999 THEN 'failed' ELSE 'unknown' END,
    %(user)s, %(user)s, %(user)s, moment, moment
FROM (
    SELECT number, dice, abs(hashint8extended(number, 2) %% 1000) AS chance, company_number,
        (%(companies)s::int[])[company_number] AS company,
        now() AT TIME ZONE 'UTC' - (%(count)s - number) * interval '1 day' * %(days)s / %(count)s AS moment
    FROM generate_series(1, %(count)s::bigint) AS number,
        LATERAL (SELECT abs(hashint8extended(number, 1) %% 1000) AS dice) AS thrown,
        LATERAL (SELECT CASE WHEN abs(hashint8extended(number, 3) %% 1000) < 800 THEN 1
                             WHEN abs(hashint8extended(number, 3) %% 1000) < 995 THEN 2 ELSE 3 END
                        AS company_number) AS owner
) AS drawn
"""

LOGS = """
INSERT INTO servipay_api_log (id, create_date, company_id, user_id, operation_id, terminal_id, provider,
    direction, transport, endpoint, method, url, correlation_id, attempt, duration, http_status, outcome,
    error_message, request_size, response_size, request_sha256, response_sha256, request_headers,
    request_body, response_headers, response_body)
SELECT row,
    now() AT TIME ZONE 'UTC' - (%(rows)s - row) * interval '1 day' * %(days)s / %(rows)s,
    operation.company_id, %(user)s,
    CASE WHEN step < 5 OR endpoint = 'operation_cancel' THEN operation.id END,
    CASE WHEN step < 5 THEN operation.terminal_id END,
    'paypercloud', direction, 'http', endpoint,
    CASE WHEN step IN (0, 5) THEN 'POST' ELSE 'GET' END,
    'https://shop.example.com/api/v2/' || endpoint || '/' || operation.reference,
    md5((row - (outcome = 'outcome_unknown')::int)::text), 1 + (outcome = 'outcome_unknown')::int,
    40 + dice / 5.0, status, outcome,
    CASE WHEN outcome NOT IN ('answered', 'received') THEN 'The server said: ' || outcome END,
    length(request), length(response),
    encode(sha256(request::bytea), 'hex'), encode(sha256(response::bytea), 'hex'),
    '{"Authorization": "Bearer ***", "Accept": "application/json", "Content-Type": "application/json"}',
    request,
    CASE WHEN status > 0 THEN '{"Content-Type": "application/json", "Server": "nginx", "Date": "x"}' END,
    CASE WHEN status > 0 THEN response END
FROM (
    SELECT row, step, dice, endpoint, direction, operation_number,
        CASE WHEN direction = 'in' AND chance < 980 THEN 'received' WHEN direction = 'in' THEN 'rejected'
             WHEN chance < 990 THEN 'answered' WHEN chance < 996 THEN 'refused'
             WHEN chance < 998 THEN 'not_sent' WHEN chance = 998 THEN 'undecodable'
             ELSE 'outcome_unknown' END AS outcome,
        CASE WHEN direction = 'in' THEN 200
             WHEN chance < 990 THEN CASE WHEN step = 0 OR dice < 100 THEN 202 ELSE 200 END
             WHEN chance < 996 THEN (ARRAY[400, 401, 404, 409, 500, 503])[chance - 989]
             WHEN chance = 998 THEN 200 END AS status
    FROM (
        SELECT *, CASE WHEN endpoint = 'notification' THEN 'in' ELSE 'out' END AS direction
        FROM (
            SELECT row, (row - 1) %% %(per_operation)s AS step,
                (row - 1) / %(per_operation)s + 1 AS operation_number,
                abs(hashint8extended(row, 4) %% 1000) AS dice, abs(hashint8extended(row, 5) %% 1000) AS chance
            FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS row
        ) AS numbered
        JOIN servipay_operation operation ON operation.id = operation_number,
        LATERAL (SELECT CASE WHEN step = 0 THEN operation.kind WHEN step < 4 THEN 'operation_status'
            WHEN step = 4 THEN 'operation_result' WHEN dice < 120 AND operation.company_id <> %(smallest)s
            THEN 'notification' WHEN dice < 500 THEN 'operation_cancel' WHEN dice < 900 THEN 'operations_list'
            ELSE 'last_reconciliation' END AS endpoint) AS called
    ) AS directed
) AS drawn
JOIN servipay_operation operation ON operation.id = operation_number,
LATERAL (SELECT
    json_build_object('amount', operation.amount, 'currency', 'EUR', 'reference', operation.reference,
        'pos_id', 'POS1', 'terminal_pid', 'T1', 'note', repeat(md5(row::text), 4))::text AS request,
    json_build_object('operation_id', md5(row::text), 'status', operation.state,
        'reference', operation.reference, 'receipt', repeat(md5('receipt' || row), 10))::text AS response
) AS bodies
ORDER BY row
"""


def fill(env, rows, user):
    """Make rows (int) log rows and the operations they belong to; commits. Returns the companies' ids."""
    companies = _companies(env)
    facts = {
        "rows": rows,
        "days": DAYS,
        "user": user.id,
        "companies": companies.ids,
        "smallest": companies[-1].id,
        "terminals": [_terminal(env, company).id for company in companies],
        "currency": env.ref("base.EUR").id,
        "per_operation": ROWS_PER_OPERATION,
        "count": -(-rows // ROWS_PER_OPERATION),
    }
    env.flush_all()
    env.cr.execute("DELETE FROM servipay_api_log; DELETE FROM servipay_operation")
    env.cr.execute(OPERATIONS, facts)
    settled = int(rows * (1 - UNVACUUMED))
    env.cr.execute(LOGS, {**facts, "first": 1, "last": settled})
    env.cr.commit()
    vacuum(env.cr, "VACUUM (ANALYZE) servipay_operation, servipay_api_log")
    env.cr.execute(LOGS, {**facts, "first": settled + 1, "last": rows})
    env.cr.execute("SELECT setval('servipay_api_log_id_seq', %s)", [rows])
    env.cr.execute("SELECT setval('servipay_operation_id_seq', %s)", [facts["count"]])
    env.cr.execute("ANALYZE servipay_api_log")
    env.cr.commit()
    with contextlib.suppress(psycopg2.Error), env.cr.savepoint(flush=False):
        env.cr.execute("CHECKPOINT")  # what filling left to write is not the business of what is measured
    env.cr.commit()
    return companies


def vacuum(cr, statement):
    """Run a VACUUM, which wants no transaction around it."""
    cr.commit()
    cr._cnx.autocommit = True
    cr._cnx.cursor().execute(statement)
    cr._cnx.autocommit = False


def _companies(env):
    first = env.ref("base.main_company")
    others = [env["res.company"].create({"name": f"Shop {number}"}) for number in range(2, COMPANIES + 1)]
    return first.union(*others)


def _terminal(env, company):
    values = {"name": f"Till of {company.name}", "pid": "T1", "provider": "paypercloud"}
    return env["servipay.terminal"].create({**values, "company_id": company.id})
