"""The hostile corpus through everything that stores or shows: log rows, the server log, chatter, exports."""

import json
import logging

from odoo.tests import tagged

from ..api.finding import Finding
from ..api.masking import Masker, get_logger
from .common import ApiCase
from .masking_corpus import probes


class Catcher(logging.Handler):
    """Keeps what a handler at the end of the logging chain would write."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestMasking(ApiCase):
    def test_corpus_through_log_rows_and_exports(self):
        """Each probe as body, as URL query, as header and as error.

        Then every column and the export are searched.
        """
        checked, leaks = 0, []
        logs = self.env["servipay.api.log"]
        for name, payload, content_type, hidden, options in probes():
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
        self.assertGreater(checked, 800)
        self.assertFalse(leaks)

    def test_corpus_through_the_server_log(self):
        catcher, logger = Catcher(), get_logger("odoo.addons.paypercloud_servipay.corpus")
        logger.addHandler(catcher)
        logger.propagate = False
        self.addCleanup(logger.removeHandler, catcher)
        checked, leaks = 0, []
        for name, payload, _content_type, hidden, options in probes():
            if options:
                continue  # a literal secret is known to the masker of the call, not to the logger
            text = payload if isinstance(payload, str) else payload.decode("utf-8-sig")
            try:
                raise ValueError(text)
            except ValueError:
                logger.exception("it said %s", text)
            leaks += [(name, secret) for secret in hidden if secret in catcher.lines[-1]]
            checked += 1
        print(f"\nmasking: {checked} probes through the server log")  # suite-check: ok a figure to show
        self.assertFalse(leaks)

    def test_corpus_through_operations_and_chatter(self):
        """Texts that a provider puts into its answers: explanation, chatter, activity, list export."""
        leaks, checked = [], 0
        for name, payload, _content_type, hidden, options in probes():
            if options or not name.startswith(("card", "text")):
                continue
            text = payload if isinstance(payload, str) else payload.decode()
            operation = self.operations._open(self.values())
            operation._move("sent")
            self.env.flush_all()
            operation._apply(
                Finding("unknown", "no_answer", text, {"decline_message": text, "customer_receipt": text})
            )
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
