import math
from dataclasses import replace

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..api import states
from ..api.finding import NOT_PAID
from ..api.masking import get_logger
from ..api.outcome import Mismatch
from .own_transaction import in_own_transaction
from .servipay_operation import CHECK
from .servipay_operation_inquiries import GIVE_UP_AFTER

_logger = get_logger(__name__)

# What an answer has to state before it can speak for or against a decision.
OUTCOMES = ("approved", "reversed", *NOT_PAID)


class ServipayOperation(models.Model):
    """What a named person says became of the money, and what the provider says to that afterwards.

    A decision is one more fact: it has an amount, the provider goes on being asked about it, and what it
    corrects (the original payment, the document, the books) follows it like any other outcome.
    """

    _inherit = "servipay.operation"

    answered_amount = fields.Monetary(
        "Stated by the provider",
        readonly=True,
        copy=False,
        help="The amount that the provider's last answer states, believed or not.",
    )
    decided = fields.Boolean(
        "Decided, not confirmed",
        readonly=True,
        copy=False,
        help="The outcome is a person's word; the provider has neither confirmed nor contradicted it yet.",
    )

    # ------------------------------------------------------------------
    # Business: decide
    # ------------------------------------------------------------------

    def _resolve(self, outcome, reason, amount=None):
        """Settle an unknown or contradicted operation by a named person's word.

        :param outcome: "approved" (it was paid, given back, ...) or "failed" (it was not)
        :param reason: how the person knows; stored and shown
        :param amount: what was really moved, in major units; None: all that was asked
        :raise UserError: when there is nothing to decide, or when the amount cannot be
        """
        self.ensure_one()
        person = self.env.user

        def work(env):
            env["servipay.operation"].browse(self.id)._decide(person, outcome, reason, amount)

        in_own_transaction(self.env, work)

    def _decide(self, person, outcome, reason, amount):
        self._lock()
        values = {"resolved_by_id": person.id, "resolution": reason, "contradicted": False}
        if outcome == "approved" and self.currency_id:
            values["approved_amount"] = self._decided_amount(amount)
        # who overrules the provider, or agrees with it, knows what it says: it need not be asked again
        values["decided"] = not self.contradicted
        if self._stands(outcome):
            self._decide_that_it_stands(values)
        else:
            self._move(outcome, by="person", reason="person", **values)
        self._ask_about_decision()
        self._for_chatter()._post_decision(person, outcome, reason)
        self.activity_unlink([CHECK])

    def _stands(self, outcome):
        """Return whether this settled state says already what was decided."""
        if not self.contradicted or self.state not in states.FINAL:
            return False
        return (self.state == "approved") == (outcome == "approved")

    def _decide_that_it_stands(self, values):
        """Keep the state against the provider's word; the amount may be another one."""
        self.write({**values, "reason": "person"})
        self._tell_document(self.state)

    def _decided_amount(self, amount):
        """Return the amount (float) that a person may state: no more than was asked, or than was answered."""
        currency, asked, answered = self.currency_id, self.amount, self.answered_amount
        if self.kind == "void":
            return asked  # all or nothing: a part would leave a rest to be given back once more
        if amount is None:
            if answered and currency.compare_amounts(answered, asked):
                raise UserError(
                    _(
                        "%(asked)s were asked for, and the provider states %(answered)s. Say how much it "
                        "really was. Nothing was changed.",
                        asked=currency.format(asked),
                        answered=currency.format(answered),
                    )
                )
            return asked
        most = max(asked, answered)
        rounded = currency.round(amount) if math.isfinite(amount) else 0
        if currency.compare_amounts(rounded, 0) <= 0 or currency.compare_amounts(rounded, most) > 0:
            raise UserError(
                _(
                    "The amount must be above zero, and no more than %(most)s. If nothing was paid, say so. "
                    "Nothing was changed.",
                    most=currency.format(most),
                )
            )
        return rounded

    def _post_decision(self, person, outcome, reason):
        words = self._decision_words()[outcome]
        body = _("%(user)s decided: %(what)s. Reason: %(why)s", user=person.name, what=words, why=reason)
        self.message_post(body=body, author_id=person.partner_id.id)

    def _decision_words(self):
        """Return {outcome: what a person said}, with the amount where less (or more) was moved."""
        differs = self.currency_id and self.currency_id.compare_amounts(self._settled_amount(), self.amount)
        money = self._money_text(self._settled_amount())
        if self.kind in ("refund", "void"):
            given = _("%s were given back", money) if differs else _("it was given back")
            return {"approved": given, "failed": _("it was not given back")}
        paid = _("%s were paid", money) if differs else _("it was paid")
        return {"approved": paid, "failed": _("it was not paid")}

    # ------------------------------------------------------------------
    # Business: go on asking
    # ------------------------------------------------------------------

    def _ask_about_decision(self):
        """Have the provider asked about what was decided, as it would have been without."""
        recent = self.sent_at and fields.Datetime.now() - self.sent_at <= GIVE_UP_AFTER
        if self.decided and recent:
            self.write({"next_inquiry_at": self._inquiry_at(self.inquiry_count + 1, "unknown")})

    def _is_asked_about(self):
        """Return whether an inquiry may still bring something: the outcome is open, or a person's word."""
        return self.state in states.UNSETTLED or (self.decided and self.state in states.FINAL)

    # ------------------------------------------------------------------
    # Business: what the provider says to it
    # ------------------------------------------------------------------

    def _hear_about_decision(self, finding):
        """Compare an answer with what a person decided; return whether that is all it is good for.

        A reversal, or a signed message about a later attempt, is applied as ever.
        """
        if not self.decided or not self._speaks_of_outcome(finding):
            return False
        by = "attempt" if finding.later_attempt else "provider"
        differs = finding.state == "approved" and finding.mismatches
        if not differs and states.allowed(self.state, finding.state, by=by):
            return False
        confirmed = self._confirms(finding)
        self._keep_facts(replace(finding, mismatches=()) if confirmed else finding)
        if confirmed:
            self._take_confirmation()
        else:
            self._flag_contradiction(self._with_difference(finding))
        return True

    def _speaks_of_outcome(self, finding):
        """Return whether an answer says how it ended; drivers call an approval that differs "unknown"."""
        paid_otherwise = finding.state == "unknown" and finding.stated_amount is not None
        return finding.state in OUTCOMES or (paid_otherwise and self.state == "approved")

    def _confirms(self, finding):
        """Return whether an answer says what was decided: the same outcome, and of the same amount."""
        if self.state != "approved":
            return self.state in NOT_PAID and finding.state in NOT_PAID
        stated = finding.stated_amount
        if finding.state not in ("approved", "unknown") or (finding.mismatches and stated is None):
            return False
        # suite-check: ok compared by the currency's rounding
        return stated is None or not self.currency_id.compare_amounts(float(stated), self._settled_amount())

    def _with_difference(self, finding):
        """Return the Finding, which says what differs where both say that money was moved."""
        if self.state != "approved" or finding.state not in ("approved", "unknown"):
            return finding
        differs = (Mismatch("amount", self._settled_amount(), finding.stated_amount),)
        return replace(finding, state="approved", mismatches=finding.mismatches or differs)

    def _take_confirmation(self):
        self.write({"decided": False, "next_inquiry_at": False, "contradicted": False})
        self.activity_unlink([CHECK])
        self._for_chatter()._post_confirmation()

    def _post_confirmation(self):
        self.message_post(body=_("The provider confirms what %s decided.", self.resolved_by_id.name))

    def _keep_answered(self, finding):
        """Keep the amount that an answer states, whatever becomes of the answer."""
        stated = finding.stated_amount
        if stated is not None and self.currency_id:
            # suite-check: ok a Monetary field takes a float and rounds it to the currency
            self.answered_amount = float(stated)

    def _flag_contradiction(self, finding):
        """The provider now reports what the settled state rules out:

        money may have moved. Never overwritten, never lost.
        """
        values = {"contradicted": True, "contradiction": finding.state, "next_inquiry_at": False}
        if finding.mismatches:
            values.update(reason="mismatch", detail=self._detail_of(finding))
        same = values.get("detail", self.detail) == self.detail
        known = self.contradiction or (not self.decided and self.state)
        if same and finding.state == known:
            return  # said before, or decided by somebody who knew it
        _logger.warning(
            "operation %s is %s but its provider reports %s: a person has to decide",
            self.name,
            self.state,
            finding.state,
        )
        self.write(values)
        self._post_explanation()
        self._ask_manager()
        self._tell_contradiction()

    def _tell_contradiction(self):
        """Let the document that this operation is about tell its own people and history."""
        document = self._document()
        if hasattr(document, "_servipay_contradicted"):
            document._servipay_contradicted(self)

    # ------------------------------------------------------------------
    # Business: what follows a decision
    # ------------------------------------------------------------------

    def _undo_void(self):
        """Let a payment stand again whose void a person calls undone."""
        original = self.original_id
        original._lock()
        if original.state == "reversed":
            original.write({"contradicted": True})  # it is the void's contradiction
            original._move("approved", by="person", reason="void_undone", detail=self.name)
            original.write({"contradicted": False})
