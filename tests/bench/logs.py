"""`./dev bench logs`: the API log at a million rows: what the web client asks of its list, purging, writing.

Times are those of the server: Odoo's model methods in this process, each call in a transaction of its own as
a request has one, on a cluster whose commits wait for the disk; what surrounds them over HTTP (session, JSON)
is the same for every list of Odoo and not part of them. Reads are warm, and are made by a person who may read
payments and no more, so that record rules apply.

Bars (issue 2): the median of the first page and of every filter below 50 ms, every batch of the purge below
300 ms. Groupings and writing are reported.
"""

import argparse
import inspect
import json
import sys
from datetime import date

import _log_rows
from _measure import Table, odoo_registry, repeated, timed
from dateutil.relativedelta import relativedelta
from lxml import etree

from tools.report import say, step

MODEL = "servipay.api.log"
READ_BAR, PURGE_BAR = 50, 300  # milliseconds
PAGE, COUNT_LIMIT = 80, 10001  # of the web client
RETENTION = 30  # days


def main():
    """Run the benchmark and return the exit code: 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="./dev bench logs", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the log (default 1000000)")
    parser.add_argument("--runs", type=int, default=15, help="of each read (default 15, at least 9)")
    parser.add_argument("--explain", action="store_true", help="show PostgreSQL's plans of missed reads")
    options = parser.parse_args()
    if options.runs < 9 or options.rows < 10_000:
        parser.error("at least 9 runs and 10000 rows: less says nothing")
    table = Table()
    with odoo_registry("benchlogs") as registry:
        bench = LogBench(registry, table, options)
        bench.prepare()
        table.head()
        bench.read()
        bench.write()
        bench.purge()
    return table.close()


class LogBench:
    """The benchmark on one database. registry: Odoo's; table: of the figures; options: of the command."""

    def __init__(self, registry, table, options):
        self.registry, self.table, self.options = registry, table, options

    # --- making the rows ---

    def prepare(self):
        """Make the reader and the rows."""
        with step(f"making {self.options.rows} log rows"), self.registry.cursor() as cr:
            env = self._environment(cr, 1)
            reader = self._reader(env)
            companies = _log_rows.fill(env, self.options.rows, reader)
            reader.write({"company_ids": [(6, 0, companies.ids)], "company_id": companies[0].id})
            self.reader, self.companies = reader.id, companies.ids
            env.flush_all()
            cr.execute("SELECT pg_size_pretty(pg_total_relation_size('servipay_api_log')), version()")
            self.size, self.version = cr.fetchone()
        say(f"  the table and its indexes: {self.size}; {self.version.partition(' on ')[0]}")

    def _reader(self, env):
        groups = "group_ids" if "group_ids" in env["res.users"]._fields else "groups_id"
        group = env.ref("paypercloud_servipay.group_user")
        values = {"name": "Reader", "login": "bench-reader", "lang": "en_US", "tz": "Europe/Paris"}
        return env["res.users"].create({**values, groups: [(6, 0, [group.id])]})

    def _environment(self, cr, user, companies=None):
        import odoo.api

        context = {"lang": "en_US", "tz": "Europe/Paris", "uid": user}
        if companies:
            context.update(allowed_company_ids=companies, bin_size=True)
        return odoo.api.Environment(cr, user, context)

    # --- reading ---

    def read(self):
        """Measure the list: for somebody who has ticked all companies, and one who sees the smallest only."""
        with self.registry.cursor() as cr:
            model = self._environment(cr, self.reader, self.companies)[MODEL]
            self.specification, filters, groups = _views(model)
            self.aggregates = _aggregates(model, self.specification)
        asked = {"first page": [], **{f"filter {name}": domain for name, domain in filters.items()}}
        for note, companies in (("all companies", self.companies), ("smallest company", self.companies[-1:])):
            for what, domain in {**asked, **self._searches(companies)}.items():
                self._measure(f"{what}, {note}", companies, domain)
        for name, group in groups.items():
            self._measure_group(f"group by {name}, all companies", group)

    def _searches(self, companies):
        """Return {what: domain} of what people type into the search box: found often, seldom, and never."""
        with self.registry.cursor() as cr:
            logs = self._environment(cr, self.reader, companies)[MODEL]
            log = logs.search([("operation_id", "!=", False)], limit=1, order="id")
            operation = log.operation_id
            return {
                "endpoint ~ status": [("endpoint_part", "ilike", "status")],
                "endpoint ~ void": [("endpoint_part", "ilike", "void")],
                "endpoint ~ purchsae (a slip)": [("endpoint_part", "ilike", "purchsae")],
                "HTTP status 200": [("http_status", "=", 200)],
                "HTTP status 503": [("http_status", "=", 503)],
                "HTTP status 418 (none)": [("http_status", "=", 418)],
                "correlation id": [("correlation_id", "=", log.correlation_id)],
                "correlation id (none)": [("correlation_id", "=", "f" * 32)],
                "operation, chosen": [("operation_id", "=", operation.id)],
                "operation, number typed": [("operation_id.name", "=", operation.name)],
                "operation, nonsense typed": [("operation_id.name", "=", "XYZ999")],
            }

    def _measure(self, what, companies, domain):
        def call():
            with self.registry.cursor() as cr:
                model = self._environment(cr, self.reader, companies)[MODEL]
                return model.web_search_read(
                    domain, self.specification, offset=0, limit=PAGE, order="", count_limit=COUNT_LIMIT
                )

        times, answer = repeated(call, self.options.runs)
        found = answer["length"]
        label = f"{COUNT_LIMIT - 1}+" if found == COUNT_LIMIT else found
        kept = self.table.add(what, times, label, READ_BAR)
        if not kept and self.options.explain:
            self._explain(companies, domain)

    def _explain(self, companies, domain):
        with self.registry.cursor() as cr:
            cr.execute(
                "LOAD 'auto_explain'; SET LOCAL auto_explain.log_min_duration = 5;"
                "SET LOCAL client_min_messages = log; SET LOCAL auto_explain.log_analyze = on;"
                "SET LOCAL auto_explain.log_buffers = on"
            )
            cr._cnx.notices.clear()
            model = self._environment(cr, self.reader, companies)[MODEL]
            model.web_search_read(domain, self.specification, limit=PAGE, count_limit=COUNT_LIMIT)
            say("\n".join(cr._cnx.notices))

    def _measure_group(self, what, group):
        def call():
            with self.registry.cursor() as cr:
                model = self._environment(cr, self.reader, self.companies)[MODEL]
                if "fields" in inspect.signature(model.web_read_group).parameters:  # 17.0 and 18.0
                    return model.web_read_group([], self.aggregates, [group], limit=PAGE, lazy=True)
                return model.web_read_group([], [group], self.aggregates, limit=PAGE)

        times, answer = repeated(call, 3, warm=1)  # seconds each, and no bar
        self.table.add(what, times, answer["length"])

    # --- writing ---

    def write(self):
        """Measure what one exchange costs to write down: masking, a transaction, its commit on disk."""
        from odoo.addons.paypercloud_servipay.api.masking import Masker

        facts = {"amount": 12.5, "reference": "SP000001", "card": "4970100000000055", "note": "x" * 300}
        body = json.dumps(facts).encode()
        headers = {"Authorization": "Bearer s3cret-of-the-bench", "Content-Type": "application/json"}
        entry = {
            "endpoint": "purchase",
            "method": "POST",
            "url": "https://shop.example.com/api/v2/purchase?a=b",
            "correlation_id": "bench",
            "duration": 50.0,
            "http_status": 202,
            "outcome": "answered",
            "request_headers": headers,
            "request_body": body,
            "response_headers": headers,
            "response_body": body,
        }
        with self.registry.cursor() as cr:
            env = self._environment(cr, self.reader)
            common = {"company_id": self.companies[0], "operation_id": 1, "provider": "paypercloud"}
            journal = env[MODEL]._journal(Masker(values=("s3cret-of-the-bench",)), True, **common)
            cr.rollback()  # no snapshot stays open while rows are written
            times, log_id = repeated(lambda: journal(entry), 200, warm=20)
        if not log_id:
            raise RuntimeError("The journal wrote no row.")
        self.table.add("writing one exchange through the journal", times, "220")

    # --- purging ---

    def purge(self):
        """Measure the batches of the purge.

        First with nothing to delete, which is what happens on most days; then 30 days kept by all companies;
        then with the second largest keeping its rows for ever, which a batch has to get past.
        """
        self._keep(dict.fromkeys(self.companies, 365))
        self._purge("purge: nothing is old enough", expected=0)
        self._keep(dict.fromkeys(self.companies, RETENTION))
        self._purge(f"purge: {RETENTION} days kept, each batch", expected=self._old())
        self._keep(dict.fromkeys(self.companies, 1) | {self.companies[1]: 0})
        self._purge("purge: one company keeps all, each batch", expected=self._old())

    def _keep(self, days):
        with self.registry.cursor() as cr:
            for company, number in days.items():
                self._environment(cr, 1)["res.company"].browse(company).servipay_log_days = number

    def _old(self):
        """Return how many rows the purge has to delete, counted in another way than it does."""
        with self.registry.cursor() as cr:
            cr.execute(
                "SELECT count(*) FROM servipay_api_log log JOIN res_company shop ON shop.id = log.company_id "
                "WHERE servipay_log_days > 0 AND log.create_date + servipay_log_days * interval '1 day' "
                "< now() AT TIME ZONE 'UTC' AND (operation_id IS NULL OR operation_id NOT IN (SELECT id "
                "FROM servipay_operation WHERE state IN ('sent', 'pending', 'cancelling', 'unknown')))"
            )
            return cr.fetchone()[0]

    def _purge(self, what, expected):
        from odoo.addons.paypercloud_servipay.models import servipay_api_log
        from odoo.addons.paypercloud_servipay.models.own_transaction import in_own_transaction

        times, removed = [], 0
        with self.registry.cursor() as cr:
            env = self._environment(cr, 1)
            while True:
                took, count = timed(lambda: in_own_transaction(env, servipay_api_log._purge_batch))
                times.append(took)
                removed += count
                if count < servipay_api_log.PURGE_BATCH:
                    break
        # a row may have come of age between counting and the last batch
        if not expected <= removed <= expected + 200:
            raise RuntimeError(f"The purge removed {removed} rows and should have removed {expected}.")
        self.table.add(what, times, removed, PURGE_BAR, every=True)


def _views(model):
    """Return the views' list specification, {filter: domain} and {group filter: group by}, as they are."""
    archs = {kind: etree.fromstring(model.get_view(None, kind)["arch"]) for kind in ("list", "search")}
    specification = {}
    for node in archs["list"].iter("field"):
        field = model._fields[node.get("name")]
        specification[field.name] = {"fields": {"display_name": {}}} if field.type == "many2one" else {}
    known = {"context_today": date.today, "relativedelta": relativedelta}
    filters, groups = {}, {}
    for node in archs["search"].iter("filter"):
        if node.get("domain"):
            filters[node.get("string")] = _evaluated(node.get("domain"), known)
        else:
            groups[node.get("string")] = _evaluated(node.get("context"), {})["group_by"]
    return specification, filters, groups


def _evaluated(expression, known):
    from odoo.tools.safe_eval import safe_eval

    return safe_eval(expression, dict(known))


def _aggregates(model, specification):
    """Return ["field:function"] of the list's columns that the client wants aggregated in groups."""
    key = "aggregator" if hasattr(model._fields["duration"], "aggregator") else "group_operator"
    functions = {name: getattr(model._fields[name], key, None) for name in specification}
    return [f"{name}:{function}" for name, function in functions.items() if function]


if __name__ == "__main__":
    sys.exit(main())
