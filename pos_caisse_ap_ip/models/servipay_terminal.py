import re

from odoo import _, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.models.network_words import network_words
from odoo.addons.paypercloud_servipay.models.tested import Tested

from ..caisse_ap.answer import read
from ..caisse_ap.compare import lacking
from ..caisse_ap.describe import shown
from ..caisse_ap.errors import ProtocolError
from ..caisse_ap.frame import encode
from ..caisse_ap.request import build, identification
from .link import Link, normal_host

TEST_SECONDS = 10  # an identification needs no customer
OUTCOMES = {"complete": "answered", "refused": "not_sent", "malformed": "undecodable"}


class ServipayTerminal(models.Model):
    _inherit = "servipay.terminal"

    def _caisse_ap_address(self):
        """Return (host, port); UserError when the identifier is none of this kind."""
        host, _colon, port = (self.pid or "").rpartition(":")
        if not host or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
            raise UserError(_("%s is no terminal's address with its port.", self.pid))
        return host, int(port)

    def _caisse_ap_method(self):
        """Return a payment method that drives this terminal; UserError without one."""
        host, port = self._caisse_ap_address()
        domain = [("caisse_ap_port", "=", port), ("company_id", "=", self.company_id.id)]
        methods = self.env["pos.payment.method"].sudo().search(domain)
        method = methods.filtered(lambda method: normal_host(method.caisse_ap_host) == normal_host(host))[:1]
        if not method:
            raise UserError(_("No payment method says how to speak with this terminal. Nothing was sent."))
        return method

    def _caisse_ap_same(self):
        """Return the records of this physical terminal: each company that uses it has its own."""
        domain = [("provider", "=", "caisse_ap"), ("pid", "=", self.pid)]
        return self.sudo().with_context(active_test=False).search(domain)

    def _caisse_ap_holder(self, operation=None):
        """Return who holds the terminal, in words ("" when it is free), besides ``operation``."""
        holders = self._caisse_ap_same().holder_id - (operation or self.env["servipay.operation"])
        if not holders:
            return ""
        own = holders.filtered(lambda holder: holder.company_id == self.company_id)[:1]
        return own._summary() if own else _("another company's payment")

    def _caisse_ap_link(self, method, seconds):
        """Return the ``Link`` to this terminal, whose address is the one the operation was made for."""
        host, port = self._caisse_ap_address()
        return Link(
            host,
            port,
            answer_seconds=seconds,
            allow_local=method.sudo().caisse_ap_allow_local,
            line_end=method.caisse_ap_line_end,
            words=network_words,
        )

    def _caisse_ap_journal(self, **common):
        """Return a callable ``(action, fields, exchange)`` that writes an exchange into the API log."""
        url = f"tcp://{self.pid}"
        journal = self.env["servipay.api.log"]._journal(
            company_id=self.company_id.id, provider="caisse_ap", terminal_id=self.id or False, **common
        )

        def write(action, asked, exchange):
            return journal(
                {
                    "transport": "tcp",
                    "endpoint": action,
                    "url": url,
                    "duration": exchange.latency or 0,
                    "outcome": OUTCOMES.get(exchange.ended, "outcome_unknown"),
                    "error_message": exchange.text,
                    "request_body": shown(asked),
                    "response_body": shown(exchange.fields) if exchange.fields else "",
                }
            )

        return write

    def _caisse_ap_test(self):
        """Identify the terminal (CD=I): no money, no slip."""
        self.ensure_one()
        holder, address = self._caisse_ap_holder(), self.pid
        if holder:
            return Tested("warning", _("The terminal is busy with %s: it was not disturbed.", holder))
        method = self._caisse_ap_method()
        request = identification(version=method.caisse_ap_version, identifier=method.caisse_ap_identifier)
        asked = build(request)
        link, journal = self._caisse_ap_link(method, TEST_SECONDS), self._caisse_ap_journal()
        exchange = link.exchange(encode(asked), lacking=lambda fields: lacking(request, fields))
        journal("identification", asked, exchange)
        kind, message = self._caisse_ap_describe(exchange, address)
        return Tested(kind, message, exchange.connected if kind == "success" else None)

    def _caisse_ap_describe(self, exchange, address):
        """Return (notification type, sentence) for the answer of an address to an identification."""
        if exchange.ended == "refused":
            return "danger", _(
                "The terminal cannot be reached at %(address)s (%(why)s). Is it on, awake, and its address "
                "and port right?",
                address=address,
                why=exchange.text,
            )
        if exchange.ended != "complete":
            return "danger", _(
                "Something listens at %(address)s but does not answer as a terminal (%(why)s). Is its till "
                "protocol “Concert, version 3, IP”?",
                address=address,
                why=exchange.text,
            )
        try:
            answer = read(exchange.fields)
        except ProtocolError as error:
            return "warning", _("The terminal answered something unreadable: %s", error)
        return "success", _(
            "The terminal answers after %(latency)s ms: protocol %(version)s, identifier %(identifier)s.",
            latency=round(exchange.latency),
            version=answer.version or "?",
            identifier=answer.identifier or "?",
        )
