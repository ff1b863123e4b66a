from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.models.lean import lean

from ..ogone import feedback as messages
from ..ogone import status
from ..ogone.lists import read_names


class ServipayNotification(models.Model):
    """What Ogone reports: by the browser's return, by a request of its own, or when a status changes."""

    _inherit = "servipay.notification"

    # ------------------------------------------------------------------
    # Receive
    # ------------------------------------------------------------------

    @api.model
    def _ogone_receive(self, raw, http_request, at_once=True):
        """Return the stored message, None when the platform did not sign it.

        :param raw: bytes as received: the query of a GET, the body of a POST, never both
        :param http_request: werkzeug's request, for its method, address and path
        :param at_once: see ``_receive``
        """
        transaction = self._ogone_guess(raw)
        feedback, provider = self._ogone_signed(raw, transaction)
        posted = http_request.method == "POST"
        common = {
            "method": http_request.method,
            "path": http_request.path,
            "source": http_request.remote_addr,
            "raw_body" if posted else "raw_query": raw.decode("latin-1"),
        }
        if feedback is None:
            self._reject("ogone", raw.decode("latin-1"), transaction, **common)
            return None
        common.update(company_id=provider.company_id.id, event=feedback.status)
        if not transaction:
            return self.browse(self._receive_orphan("ogone", feedback.key, at_once, **common))
        return self.browse(self._receive("ogone", feedback.key, True, at_once, **common))

    def _ogone_guess(self, raw):
        """Return the transaction that an unverified message speaks of: it decides whose passphrase counts."""
        return lean(self.env["payment.transaction"].sudo())._ogone_find(messages.claimed_order(raw))

    def _ogone_signed(self, raw, transaction):
        """Return (Feedback, provider whose passphrase signed it), or (None, no provider)."""
        providers = transaction.provider_id
        if not providers:
            domain = [("code", "=", "ogone"), ("state", "!=", "disabled")]
            providers = self.env["payment.provider"].sudo().search(domain)
        for provider in providers:
            found = provider._ogone_read(messages.read_feedback, raw)
            if found is not None:
                return found, provider
        return None, providers.browse()

    def _ogone_raw(self):
        """Return the message as it was received (bytes)."""
        return (self.raw_body if self.method == "POST" else self.raw_query or "").encode("latin-1")

    @api.model
    def _ogone_base_url(self, raw):
        """Return the address that customers know of the company that a message is about."""
        return (self._ogone_guess(raw).provider_id or self).get_base_url()

    def _ogone_verify_again(self):
        """Return the key of a message that one of today's passphrases signed, "" for any other."""
        raw = self._ogone_raw()
        feedback, _provider = self._ogone_signed(raw, self._ogone_guess(raw))
        return feedback.key if feedback is not None else ""

    def _ogone_why_refused(self):
        """Return a sentence about what is wrong with a message that was not accepted, or with our keys."""
        raw = self._ogone_raw()
        domain = [("code", "=", "ogone"), ("state", "!=", "disabled")]
        providers = self.env["payment.provider"].sudo()
        provider = self._ogone_guess(raw).provider_id or providers.search(domain, limit=1)
        if not provider:
            return False
        others = [
            provider._servipay_secret(name) for name in ("ogone_shakey_in", "ogone_shakey_in_directlink")
        ]
        slug = provider._ogone_read(
            lambda *known: messages.why_refused(*known, other_passphrases=tuple(filter(None, others))), raw
        )
        return self.env["servipay.operation"]._ogone_sentences().get(slug, False)

    # ------------------------------------------------------------------
    # Apply
    # ------------------------------------------------------------------

    def _ogone_apply_notification(self):
        """Apply one message, under its lock; tells whether it changed anything."""
        raw = self._ogone_raw()
        transaction = self.env["payment.transaction"]._ogone_find(messages.claimed_order(raw))
        names = read_names(transaction.provider_id.sudo().ogone_extra_names or "")
        feedback = messages.read_again(raw, names)
        if not transaction:
            return self._ogone_tell_orphan(feedback)
        self._ogone_check_account(raw, transaction)
        # the operation before its transaction, as an inquiry's outcome takes them
        operation = transaction._servipay_operation()
        if operation:
            operation._lock()
        transaction._servipay_lock()
        self.write({"company_id": transaction.company_id.id})
        changed, self.operation_id = transaction._ogone_learn(feedback)
        return changed

    def _ogone_check_account(self, raw, transaction):
        """Refuse what another account's passphrase signed, before this order was known.

        :raise UserError: it stays in the inbox, is tried again and told, should a new key make it good
        """
        signed, _provider = self._ogone_signed(raw, transaction)
        if signed is None:
            raise UserError(
                _("This message is about an order of another account than the one that signed it.")
            )

    def _ogone_follow_notification(self):
        """Ask about what was reported as paid."""
        self.operation_id._confirm_soon()

    def _ogone_tell_orphan(self, feedback):
        """A payment of something that Odoo does not know: nothing is booked, every company is told."""
        if status.state_of(feedback.status, "purchase") not in ("approved", "pending", "unknown"):
            return False
        detail = f"{feedback.amount if feedback.amount is not None else '?'} {feedback.currency}".strip()
        return self.env["payment.provider"]._servipay_tell_orphan(
            "ogone", feedback.key, feedback.order, detail
        )
