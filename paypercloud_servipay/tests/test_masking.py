"""The hostile corpus through everything that stores or shows: log rows, the server log, chatter, exports."""

import json
import logging
import sys
from unittest.mock import patch

from odoo.tests import tagged

from ..api.finding import Finding
from ..api.masking import LogFilter, Masker
from ..api.outcome import Mismatch
from .common import ApiCase, Catcher
from .masking_corpus import probes


def own_loggers():
    """Yield the logger of each module of this addon that has one, tests apart."""
    prefix = __name__.rpartition(".tests.")[0]
    for name, module in sorted(sys.modules.items()):
        logger = getattr(module, "_logger", None)
        if name.startswith(prefix) and ".tests" not in name and isinstance(logger, logging.Logger):
            yield logger


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestMasking(ApiCase):
    def test_corpus_through_log_rows_and_exports(self):
        """Each probe as body, as URL query, as header and as error.

        Then every column and the export are searched.
        """
        checked, leaks = 0, []
        logs = self.env["servipay.api.log"]
        for name, payload, content_type, hidden, options in probes(few=True):
            text = payload if isinstance(payload, str) else payload.decode("utf-8-sig")
            journal = logs._journal(Masker(**options), company_id=self.company.id, operation_id=False)
            number = journal(
                {
                    "endpoint": "purchase",
                    "method": "POST",
                    "url": "https://api.example.com/p",
                    "request_headers": {"Content-Type": content_type, "X-Note": text},
                    "request_body": payload,
                    "response_headers": {"Content-Type": content_type},
                    "response_body": payload,
                    "error_message": text,
                }
            )
            log = logs.browse(number)
            columns = [
                name for name in log._fields if name not in ("id", "request_sha256", "response_sha256")
            ]
            stored = str(log.read(columns)) + str(log.export_data(["request_body", "response_body", "curl"]))
            leaks += [(name, text) for text in hidden if text in stored]
            checked += 1
        print(f"\nmasking: {checked} probes through log rows and exports")  # suite-check: ok a figure to show
        self.assertGreater(checked, 700)
        self.assertFalse(leaks)

    def test_corpus_through_the_server_log(self):
        """The loggers that the addon's modules really use, each with a part of the corpus."""
        catcher, loggers = Catcher(), list(own_loggers())
        self.assertGreater(len(loggers), 5)
        for logger in loggers:
            self.assertTrue(any(isinstance(known, LogFilter) for known in logger.filters), logger.name)
            patched = patch.multiple(logger, handlers=[catcher], propagate=False)
            patched.start()
            self.addCleanup(patched.stop)
        checked, leaks = 0, []
        for name, payload, _content_type, hidden, options in probes(few=True):
            if options:
                continue  # a literal secret is known to the masker of the call, not to the logger
            text = payload if isinstance(payload, str) else payload.decode("utf-8-sig")
            logger = loggers[checked % len(loggers)]
            try:
                raise ValueError(text)
            except ValueError:
                logger.exception("it said %s", text)
            leaks += [(name, secret) for secret in hidden if secret in catcher.lines[-1]]
            checked += 1
        print(
            f"\nmasking: {checked} probes through {len(loggers)} server loggers"
        )  # suite-check: ok a figure to show
        self.assertFalse(leaks)

    def test_corpus_through_operations_and_chatter(self):
        """Texts that a provider puts into its answers: explanation, chatter, activity, list export."""
        leaks, checked = [], 0
        for name, payload, _content_type, hidden, options in probes(few=True):
            if options or not name.startswith(("card", "text")):
                continue
            text = payload if isinstance(payload, str) else payload.decode()
            operation = self.operations._open(self.values())
            operation._move("sent")
            self.env.flush_all()
            facts = {"decline_message": text, "customer_receipt": text}
            if checked % 2:
                other = (Mismatch("reference", operation.reference, text),)
                operation._apply(Finding("unknown", "mismatch", "", facts, other))
            else:
                operation._apply(Finding("unknown", "no_answer", text, facts))
            stored = [
                str(operation.read()),
                str(operation.message_ids.mapped("body")),
                str(operation.activity_ids.mapped("note")),
                json.dumps(operation.export_data(["detail", "explanation", "decline_message"])),
            ]
            leaks += [(name, secret) for secret in hidden if secret in "".join(stored)]
            checked += 1
        print(
            f"\nmasking: {checked} probes through operations and chatter"
        )  # suite-check: ok a figure to show
        self.assertFalse(leaks)

    def test_our_keys_and_references_stay_readable(self):
        """In log rows and in what is kept of an answer, though they look like a card number."""
        key = "7d444840-9dc0-41d1-b245-511111111111"
        operation = self.operations._open(self.values(idempotency_key=key))
        operation.write({"name": "SP411111", "reference": "SP411111-7d444840"})
        number = self.env["servipay.api.log"]._journal(company_id=self.company.id, operation_id=operation.id)(
            {"endpoint": "purchase", "url": "https://x/", "request_body": f"{key} SP411111-7d444840"}
        )
        log = self.env["servipay.api.log"].browse(number)
        self.assertEqual(log.request_body, f"{key} SP411111-7d444840")
        operation.write({"name": "SP371449", "reference": "SP371449-63539843", "idempotency_key": "x"})
        self.assertNotIn("SP371449-63539843", operation._made_by_us(), "not made of its key")
