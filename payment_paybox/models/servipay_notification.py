import hashlib

from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.lean import lean

from ..controllers.main import RETURN
from ..paybox import answer as answers
from ..paybox.errors import ProtocolError
from ..paybox.page import SIGNATURE
from ..paybox.signature import signed_part

_logger = get_logger(__name__)


class ServipayNotification(models.Model):
    """What the platform reports about attempts on its page."""

    _inherit = "servipay.notification"

    paybox_transaction = fields.Char(
        "Reported as paid",
        readonly=True,
        index="btree_not_null",
        help="Number of the transaction that this message reports as paid. A number pays one thing only, "
        "once the platform has confirmed it.",
    )
    paybox_call = fields.Char("Call number", readonly=True, help="Without leading zeros.")

    # ------------------------------------------------------------------
    # Receive
    # ------------------------------------------------------------------

    @api.model
    def _paybox_receive(self, query, http_request, at_once=True):
        """Return the stored message of a raw query string, None when the platform did not sign it.

        :param query: text as received, one character per byte
        :param http_request: werkzeug's request, for its address and path
        :param at_once: see ``_receive``
        """
        common = {"method": "GET", "path": http_request.path, "source": http_request.remote_addr}
        transaction, key, event = self._paybox_identify(query, common["path"], common["source"])
        if not key:
            self._reject("paybox", query, transaction, raw_query=query, **common)
            return None
        common.update(company_id=transaction.company_id.id, event=event, raw_query=query)
        common.update(self._paybox_numbers(query))  # at once: what waits claims its number too
        if not transaction:
            return self.browse(self._receive_orphan("paybox", key, at_once, **common))
        return self.browse(self._receive("paybox", key, True, at_once, **common))

    @api.model
    def _paybox_numbers(self, query):
        """Return field values of the numbers that a signed query reports as paid, {} when it reports none."""
        try:
            return _numbers(answers.read(query.rpartition(f"&{SIGNATURE}=")[0]))
        except ProtocolError:
            return {}

    def _paybox_verify_again(self):
        """Return the key of a message that one of today's keys signed, "" for any other."""
        return self._paybox_identify(self.raw_query or "", self.path or "", self.source)[1]

    def _paybox_identify(self, query, path, source):
        """Return (transaction, key, result) of a message; key "": it does not come from the platform.

        Where nobody can be asked, what does not come from the platform's addresses is refused, and what a
        browser brings is another message than the platform's own."""
        transaction = self._paybox_guess(query)
        signed, browser = self._paybox_signed(query, transaction), path.endswith(RETURN)
        hearsay = self._paybox_is_hearsay(path, source, transaction)
        if signed is None or (hearsay and not browser):
            return transaction, "", ""
        key, event = _key_and_event(signed)
        return transaction, f"browser:{key}" if hearsay else key, event

    def _paybox_signed(self, query, transaction):
        """Return the part of a raw query that the platform signed, None when it did not."""
        provider = transaction.provider_id or self.env["payment.provider"].sudo()
        return signed_part(query, provider._paybox_public_keys(), SIGNATURE, leading=0)

    def _paybox_guess(self, query):
        """Return the transaction that an unverified query speaks of: it decides whose keys count.

        Only what is needed is read: the platform waits, and whoever forges messages must not cost much."""
        transactions = lean(self.env["payment.transaction"].sudo())
        try:
            answer = answers.read(query.rpartition(f"&{SIGNATURE}=")[0])
        except ProtocolError:
            return transactions
        transaction = transactions._paybox_find(answer.reference)
        transaction.provider_id.fetch(["paybox_public_keys", "paybox_addresses", "paybox_confirm"])
        return transaction

    @api.model
    def _paybox_is_hearsay(self, path, source, transaction):
        """Return whether nothing but the signature vouches for a message, and nobody can be asked.

        Other merchants can have any text signed, and anybody's browser can bring it."""
        provider = transaction.provider_id
        expected = not provider or provider._paybox_expects(source)
        return bool(provider) and not provider.paybox_confirm and (path.endswith(RETURN) or not expected)

    # ------------------------------------------------------------------
    # Apply
    # ------------------------------------------------------------------

    def _paybox_apply_notification(self):
        """Apply one message, under its lock; tells whether it changed anything."""
        answer = self._paybox_answer()
        transaction = self.env["payment.transaction"]._paybox_find(answer.reference)
        if not transaction:
            return self._paybox_tell_orphan(answer)
        # the operation before its transaction, as an inquiry's outcome takes them
        operation = transaction._servipay_operation()
        if operation:
            operation._lock()
        transaction._servipay_lock()
        self.write({"company_id": transaction.company_id.id})
        self._paybox_remember(answer)
        hearsay = self._paybox_is_hearsay(self.path or "", self.source, transaction)
        changed = transaction._paybox_learn(answer, hearsay)
        self.operation_id = transaction._servipay_operation()
        return changed

    def _paybox_remember(self, answer):
        """Remember the numbers of what is reported as paid: a claim, until the platform confirms one."""
        self.write(_numbers(answer))

    def _paybox_answer(self):
        """Return what a stored message says; ProtocolError when it cannot be read."""
        return answers.read(self.raw_query.rpartition(f"&{SIGNATURE}=")[0])

    def _paybox_follow_notification(self):
        """Ask about what was reported as paid."""
        self.operation_id._confirm_soon()

    def _paybox_tell_orphan(self, answer):
        """A payment of something that Odoo does not know: nothing is booked, every company is told."""
        if answer.outcome not in ("accepted", "pending", "unclear"):
            return False
        self._paybox_remember(answer)
        # no currency is reported, so the amount is shown as the platform writes it
        return self.env["payment.provider"]._servipay_tell_orphan(
            "paybox", answer.key, answer.reference, str(answer.amount)
        )


def _numbers(answer):
    if answer.outcome != "accepted" or not answer.can_be_asked_about:
        return {}
    return {"paybox_transaction": answer.transaction, "paybox_call": answer.call.lstrip("0")}


def _key_and_event(signed):
    """Return what tells a signed message from others, and its result; of an unreadable one its digest."""
    try:
        answer = answers.read(signed)
    except ProtocolError:
        _logger.warning("a signed message of Paybox cannot be read: it stays in the inbox")
        return f"unreadable:{hashlib.sha256(signed.encode()).hexdigest()}", ""
    return answer.key, answer.error
