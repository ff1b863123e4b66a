from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..api.finding import Finding
from .actions import open_operations
from .conversation import Conversation
from .own_transaction import after_commit, in_own_transaction
from .servipay_payment_books import book

UNSENT_AFTER = timedelta(minutes=15)  # sending takes less than a minute
# of an operation that says nothing yet about the payment itself
SILENT = ("page_open", "page_left", "page_unasked", "confirming")
MOVEMENTS = ("refund", "capture", "void")


class ServipayPaymentFlow(models.AbstractModel):
    """What every online payment provider of the suite shares: operations behind payment transactions.

    Abstract, and without any import of ``payment`` or ``account``: a payment addon, which depends on
    ``account_payment``, puts it in front of ``payment.transaction`` (see ``compat/payment.py``).

    An operation is opened together with the payment page's form, and for each refund, capture or void. It is
    the operation's state machine that decides; the transaction follows it, in the same database transaction.
    Hook of an addon: ``_servipay_codes``.
    """

    _name = "servipay.payment.flow"
    _inherit = [
        *("servipay.payment.compat", "servipay.payment.documents", "servipay.payment.books"),
        *("servipay.payment.gate", "servipay.payment.form", "servipay.export", "servipay.kept"),
    ]
    _description = "Online payments behind operations"

    # ------------------------------------------------------------------
    # Hooks
    # ------------------------------------------------------------------

    def _servipay_recipients(self):
        """Return (users, list of e-mail addresses) that alerts about this transaction go to."""
        return self.provider_id.sudo()._servipay_recipients()

    def _servipay_words(self, operation):
        """Return one sentence (str, in the operation's language) about what the provider reported."""
        return operation._online_words()

    # ------------------------------------------------------------------
    # Operations behind a transaction
    # ------------------------------------------------------------------

    servipay_operation_count = fields.Integer(
        "Number of operations", compute="_compute_servipay_operation_count", compute_sudo=True
    )

    def _compute_servipay_operation_count(self):
        operations = self.env["servipay.operation"]
        for transaction in self:
            domain = transaction._servipay_operations()
            transaction.servipay_operation_count = operations.search_count(domain)

    def _servipay_hanging(self):
        return [("res_model", "=", "payment.transaction"), ("res_id", "in", self.ids)]

    def _servipay_operations(self):
        numbers = [*self.ids, *self.child_transaction_ids.ids]
        return [("res_model", "=", self._name), ("res_id", "in", numbers)]

    def action_servipay_operations(self):
        """Open the operations behind this transaction and its refunds."""
        self.ensure_one()
        return open_operations(self.env, self._servipay_operations())

    # ------------------------------------------------------------------
    # The payment page
    # ------------------------------------------------------------------

    def _servipay_begin_page(self, reference, authorisation=False):
        """Open the operation of a payment page that may begin; see ``_servipay_open_page``."""
        if not self._servipay_operation():
            self._servipay_check_begin()
        return self._servipay_open_page(reference, authorisation)

    def _servipay_open_page(self, reference, authorisation=False):
        """Open the operation of a payment page, in this transaction: the form leaves after its commit.

        :param reference: what the provider will know the payment by
        :param authorisation: the money is only reserved and captured later
        """
        self.ensure_one()
        operation = self._servipay_operation()
        if operation:  # the same form, rendered again
            return operation
        self.env["servipay.operation"]._check_neutralized()
        operation = self._servipay_open(reference, authorisation)
        operation._claim()
        operation._apply(Finding("pending", "page_open"), "send")
        return operation

    def _servipay_open(self, reference, authorisation, **values):
        """Open the operation of this payment, in this transaction; see ``_servipay_open_page``."""
        kind = "authorisation" if authorisation else "purchase"
        values = {**self._servipay_intent(kind), "reference": reference, "channel": "online", **values}
        return self.env["servipay.operation"].sudo().create(values)

    def _servipay_intent(self, kind):
        return {
            "company_id": self.company_id.id,
            "provider": self.provider_code,
            "kind": kind,
            "amount": abs(self.amount),
            "currency_id": self.currency_id.id,
            "user_id": self.env.uid,
            "res_model": self._name,
            "res_id": self.id,
        }

    def _servipay_operation(self, movement=False):
        """Return the newest operation of this transaction: its payment, or the ``movement`` after it."""
        self.ensure_one()
        kinds = MOVEMENTS if movement else ("purchase", "authorisation")
        domain = [("res_model", "=", self._name), ("res_id", "=", self.id), ("kind", "in", kinds)]
        return self.env["servipay.operation"].sudo().search(domain, limit=1)

    def _servipay_took_nothing(self):
        """Return whether this attempt has ended, and for certain without money: then it may be said so."""
        operation = self._servipay_operation()
        ended = self.state in ("cancel", "error") and operation.state in ("declined", "failed", "cancelled")
        return bool(ended and self.state_message and not operation.contradicted)

    # ------------------------------------------------------------------
    # A saved card: its charge is committed before it is sent
    # ------------------------------------------------------------------

    def _servipay_charge(self, reference, authorisation=False):
        """Charge this transaction's saved card once what asks for it is committed; see _servipay_request.

        :param reference: what the provider will know the payment by, and refuses a second time
        :param authorisation: the money is only reserved and captured later
        """
        self.ensure_one()
        operation = self._servipay_operation()
        if not operation:
            self._servipay_check_begin()
            operation = self._servipay_open(
                reference,
                authorisation,
                channel="online" if self.operation == "online_token" else "backend",
                # two requests for one transaction are one charge
                idempotency_key=f"{self.provider_code}:{self.id}:charge",
            )
        number = operation.id
        after_commit(self.env, lambda env: send_claimed(Conversation(env, number)))

    def _servipay_is_charge(self):
        """Tell whether this pays with a saved card, without any page."""
        return self.operation in ("online_token", "offline") and bool(self.token_id)

    # ------------------------------------------------------------------
    # Refund, capture, void: committed before they are sent
    # ------------------------------------------------------------------

    def _servipay_request(self, kind):
        """Send a movement once the transaction that asks for it is committed.

        Odoo may run the asking request again or throw it away; what was sent to a provider cannot be.
        """
        self.ensure_one()
        number, model = self.id, self._name
        after_commit(self.env, lambda env: send_movement(env, model, number, kind))

    def _servipay_open_movement(self, kind):
        """Open the operation of a refund, capture or void and return its id; False when it may not be."""
        payment = self._servipay_paid()
        values = {
            **self._servipay_intent(kind),
            "channel": "backend",
            "original_id": payment.id,
            "reference": self.reference,
            "idempotency_key": self._servipay_key(kind),
        }
        operations = self.env["servipay.operation"].with_company(self.company_id)
        known = operations.search(
            [("company_id", "=", self.company_id.id), ("idempotency_key", "=", values["idempotency_key"])]
        )
        if known:
            return known.id
        try:
            with self.env.cr.savepoint():
                if not payment:
                    raise UserError(_("Odoo has no operation of the payment itself. Nothing was sent."))
                operations._check_refundable(values)
                return operations.create(values).id
        except UserError as error:
            self._servipay_fail(str(error))
            return False

    @api.model
    def _servipay_cron_unsent(self):
        """End what was asked for and never sent: the process died right after the commit.

        What was sent has an operation that was claimed before, and is never touched here."""
        domain = [
            ("state", "=", "draft"),
            "|",
            ("source_transaction_id", "!=", False),
            ("operation", "in", ("online_token", "offline")),
            ("provider_code", "in", list(self._servipay_codes())),
            ("create_date", "<", fields.Datetime.now() - UNSENT_AFTER),
        ]
        for transaction in self.search(domain):
            operation = transaction._servipay_operation(movement=bool(transaction.source_transaction_id))
            if operation.state == "draft":
                operation._claim_cancel()  # anything else was sent, and ends by what the provider says
            if not operation or operation.state == "cancelled":
                words = _("Odoo was interrupted before this was sent. No money was moved: start it again.")
                transaction._servipay_fail(words)

    def _servipay_key(self, kind):
        """Return the key of a movement: one per child; of a payment itself a new one after a refusal."""
        key = f"{self.provider_code}:{self.id}:{kind}"
        last = self._servipay_operation(movement=True)
        refused = last.kind == kind and last.state in ("declined", "failed", "cancelled")
        return f"{key}:{last.id}" if refused and not self.source_transaction_id else key

    def _servipay_paid(self):
        """Return the operation that took (or reserved) the money that this transaction moves."""
        source = self.source_transaction_id or self
        if self.operation == "refund":
            # what was captured is refunded, not what was reserved
            captures = self.env["servipay.operation"].sudo()
            for transaction in source | source.child_transaction_ids:
                captures |= transaction._servipay_operation(movement=True).filtered(
                    lambda operation: operation.kind == "capture" and operation.state == "approved"
                )
            if captures:
                return captures[:1]
        return source._servipay_operation() or source._servipay_adopt()

    def _servipay_adopt(self):
        """Return the operation of what Odoo's own addon took before the suite was installed, else none.

        What was given back of it counts too, in doubt as well: it cannot be given back once more."""
        known = self.provider_code in self._servipay_codes() and self.provider_reference
        if not known or self.source_transaction_id or self.state not in ("done", "authorized"):
            return self.env["servipay.operation"].sudo()
        # two refunds at once find one payment, and are bounded by it
        key = f"{self.provider_code}:{self.id}:adopted"
        payment = self._servipay_open(self.reference, self.state == "authorized", idempotency_key=key)
        payment._adopt(self.provider_reference)
        for child in self.child_transaction_ids - self:
            if child.operation == "refund" and child.state in ("done", "pending"):
                values = {
                    **child._servipay_intent("refund"),
                    "reference": child.reference,
                    "channel": "backend",
                }
                payment.create({**values, "original_id": payment.id})._adopt(child.provider_reference)
        return payment

    # ------------------------------------------------------------------
    # The transaction follows its operation
    # ------------------------------------------------------------------

    def _servipay_follow(self, operation, state):
        """Take over what became of an operation. Called in the operation's transaction, after its move."""
        self.ensure_one()
        if operation.reason == "adopted":
            return  # this was so before
        self._servipay_lock()
        if operation.kind in MOVEMENTS:
            self._servipay_follow_movement(operation, state)
        else:
            self._servipay_follow_page(operation, state)
        if state == "unknown" and operation.reason == "mismatch":
            self._servipay_alert("mismatch", detail=operation.detail)

    def _servipay_follow_page(self, operation, state):
        # who was refused and paid in a later attempt must not read the refusal meanwhile
        refused = operation.reason == "confirming" and self.state in ("error", "cancel")
        silent = operation.reason in SILENT and not refused
        # a page is left before anything happened; the charge of a saved card was pending
        if state == "sent" or (silent and not self._servipay_is_charge()):
            return
        # the customer reads this on the portal
        words = self._servipay_words(
            operation.with_context(lang=self.partner_id.lang, servipay_customer=True)
        )
        if state == "approved" and operation.kind == "authorisation":
            self._set_authorized(extra_allowed_states=("error", "cancel"))
        elif state == "approved":
            self._set_done(extra_allowed_states=("cancel",))
        elif state in ("declined", "failed") and self.state == "error":
            self.state_message = words  # Odoo would write it into the document's history each time
        elif state in ("declined", "failed") and self.state in ("draft", "pending"):
            self._set_error(words)
        elif state == "cancelled" and self.state in ("draft", "pending", "error"):
            self._set_canceled(state_message=words, extra_allowed_states=("error",))
        elif state in ("pending", "unknown") and self.state in ("draft", "error", "cancel"):
            self._set_pending(state_message=words, extra_allowed_states=("error", "cancel"))
        self._servipay_note(operation)
        if state == "approved":
            self._servipay_book_soon()
        elif state in ("declined", "failed", "cancelled") and self.state in ("error", "cancel"):
            self._servipay_drafts().with_context(servipay_charging=False).action_cancel()

    def _servipay_follow_movement(self, operation, state):
        if state == "sent":
            return
        words = self._servipay_words(operation)
        if state == "approved" and operation.kind == "void":
            self._set_canceled()
        elif state == "approved":
            self._set_done()
        elif state in ("declined", "failed", "cancelled"):
            self._servipay_fail(words)
        elif state == "unknown" and self.source_transaction_id and self.state == "draft":
            self._set_pending(state_message=words)
        if state != "pending":
            self._servipay_note(operation)
        if state == "approved" and operation.kind != "void":
            self._servipay_book_soon()  # the provider may have carried it out long after it was asked for

    def _servipay_fail(self, words):
        """Put a child transaction into error; a payment that was not captured or voided stays as it is."""
        if self.source_transaction_id and self.state in ("draft", "pending"):
            self._set_error(words)

    def _servipay_lock(self):
        """Lock the row until the end of the transaction and read it anew."""
        # not self._table: whoever inherits this is payment.transaction
        query = "SELECT id FROM payment_transaction WHERE id = %s FOR UPDATE"
        self.env.cr.execute(query, [self.id], log_exceptions=False)
        self.env.flush_all()
        self.invalidate_recordset()


def send_movement(env, model, number, kind):
    """Open, claim and send a refund, capture or void, each in a transaction of its own.

    :param env: an environment or a ``Detached``; ``number`` is the id of the transaction that asked
    """

    def apart(method, *args):
        return in_own_transaction(env, lambda own: getattr(own[model].browse(number), method)(*args))

    operation_id = apart("_servipay_open_movement", kind)
    if not operation_id:
        return
    send_claimed(Conversation(env, operation_id))
    book(env, model, number)


def send_claimed(conversation):
    """Claim an operation and send it, unless somebody else has done or ended it."""
    if conversation.apart("_claim"):
        conversation.send()
