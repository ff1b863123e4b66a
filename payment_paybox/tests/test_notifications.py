"""What the platform says, and what pretends to be it."""

import html
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.models import servipay_alert, servipay_notification

from .common import PayboxCase
from .simulator import make_key

LEARN = "odoo.addons.payment_paybox.models.payment_transaction.PaymentTransaction._paybox_learn"
PROVIDER = "odoo.addons.payment_paybox.models.payment_provider"
CONFIRM = "odoo.addons.payment_paybox.models.servipay_operation.ServipayOperation._confirm_soon"
INBOX = "odoo.addons.paypercloud_servipay.models.message_turn"
ORPHANS = "odoo.addons.paypercloud_servipay.models.servipay_notification_orphans"


@tagged("post_install", "-at_install", "payment_paybox")
class TestNotifications(PayboxCase):
    def setUp(self):
        super().setUp()
        servipay_notification._unverified_at.clear()
        servipay_notification._forged_at.clear()
        self.bill = self.invoice()
        self.tx = self.transaction(self.bill)
        self.page = self.visit(self.tx)

    def stored(self, **values):
        """Return the inbox of this provider."""
        domain = [("provider", "=", "paybox"), *((name, "=", value) for name, value in values.items())]
        return self.env["servipay.notification"].sudo().search(domain)

    def report(self, choice="ok", **settings):
        """Let the platform report an attempt on the page, with settings of the simulator; the operation."""
        self.simulator.set(**settings)
        self.simulator.attempt(self.page, choice)
        self.tell()
        return self.operation(self.tx)

    def untouched(self):
        """Assert that nothing happened."""
        self.assertEqual((self.tx.state, self.operation(self.tx).state), ("draft", "pending"))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_stored_acknowledged_applied(self):
        self.simulator.attempt(self.page, "ok")
        response = self.tell()
        self.assertEqual((response.status_code, response.text), (200, "OK"))
        notification = self.stored()
        self.assertEqual(
            (notification.state, notification.event, notification.verified), ("processed", "00000", True)
        )
        self.assertEqual(notification.operation_id, self.operation(self.tx))
        self.assertEqual(notification.company_id, self.company)
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("done", 0))
        operation = self.operation(self.tx)
        self.assertEqual(operation.masked_pan, "111122********44")
        self.assertEqual((operation.authorization_code, operation.card_brand), ("XXXXXX", "VISA"))
        charge = self.simulator.charges[0]
        self.assertEqual(
            (int(operation.paybox_call), int(operation.external_ref)), (charge.call, charge.transaction)
        )

    def test_twice_is_once(self):
        self.simulator.attempt(self.page, "ok")
        for _copy in range(3):
            self.assertEqual(self.tell().status_code, 200)
        self.assertEqual((len(self.stored()), self.stored().copies), (1, 3))
        self.assertEqual(
            self.env["account.payment"].search_count([("payment_transaction_id", "=", self.tx.id)]), 1
        )

    def test_forged_messages_change_nothing(self):
        for sign in ("wrong", "altered", "none", "stranger", "second"):
            self.simulator.reset()
            self.simulator.set(notify="never", sign=sign)
            self.simulator.attempt(self.visit(self.tx), "ok")
            self.assertEqual(self.tell().status_code, 403, sign)
            self.untouched()
        self.assertFalse(self.stored(verified=True))
        self.assertEqual(self.alerts().mapped("kind"), ["bad_signature"])

    def test_flood_of_forged_messages(self):
        for number in range(60):
            self.send(f"Mt=12000&Ref={self.tx.reference}&Auto=XXXXXX&Erreur=00000&n={number}&Sign=AAAA")
        self.assertLessEqual(len(self.stored(verified=False)), servipay_notification.UNVERIFIED_PER_MINUTE)
        self.assertEqual(len(self.alerts()), 1)
        self.assertEqual(len(self.mails()), 1)
        self.untouched()

    def test_second_key_is_one_when_it_is_entered(self):
        keys = [self.simulator.keys[name].pem for name in ("good", "second")]
        self.provider.paybox_public_keys = "\n".join(keys)
        self.simulator.set(sign="second")
        self.simulator.attempt(self.page, "51")
        self.assertEqual(self.tell().status_code, 200)
        self.simulator.set(sign="good")
        self.simulator.attempt(self.page, "ok")
        self.assertEqual(self.tell().status_code, 200)
        self.assertEqual(self.tx.state, "done")

    def test_key_of_another_provider_does_not_count(self):
        self.provider.copy({"paybox_public_keys": make_key("stranger").pem})
        self.simulator.set(sign="stranger")
        self.simulator.attempt(self.page, "ok")
        self.assertEqual(self.tell().status_code, 403)
        self.untouched()

    def test_parameters_around_the_signed_ones(self):
        self.simulator.attempt(self.page, "ok")
        query = self.simulator.notifications[-1]["query"]
        self.assertEqual(self.send(f"Ref=other&{query}").status_code, 403)
        self.assertEqual(self.send(f"{query}&Ref=other").status_code, 200)
        self.assertEqual(self.tx.state, "done")

    def test_oversized_and_unreadable(self):
        self.assertEqual(self.send("a" * 9000).status_code, 403)
        self.assertEqual(self.send("%FF%FE&Sign=%00").status_code, 403)
        self.untouched()

    def test_unknown_reference_is_told_once(self):
        self.simulator.set(reference="INV/DELETED/1")
        self.simulator.attempt(self.page, "ok")
        for _copy in range(3):
            self.assertEqual(self.tell().status_code, 200)
        self.untouched()
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.reference), ("unknown_reference", "INV/DELETED/1"))
        self.assertEqual(alert.activity_ids.user_id, self.accountant)
        self.assertEqual(len(self.mails()), 1)
        self.assertIn("INV/DELETED/1", self.mails().subject)

    def test_refusal_of_an_unknown_reference_is_nobodys_business(self):
        self.simulator.set(reference="INV/DELETED/1")
        self.simulator.attempt(self.page, "51")
        self.assertEqual(self.tell().status_code, 200)
        self.assertFalse(self.alerts())

    def test_alert_is_in_the_recipients_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"].search(
            [("name", "in", ("paypercloud_servipay", "payment_paybox"))]
        )._update_translations(["fr_FR"])
        self.accountant.lang = "fr_FR"
        self.simulator.set(reference="INV/DELETED/1")
        self.simulator.attempt(self.page, "ok")
        self.tell()
        mail = self.mails()
        self.assertIn("Document payé introuvable", mail.subject)
        self.assertIn("L'argent a été encaissé", html.unescape(str(mail.body_html)))
        self.assertIn("Document payé introuvable", self.alerts().activity_ids.summary)

    def test_wrong_amount(self):
        self.simulator.set(amount=6000)
        self.simulator.attempt(self.page, "ok")
        with mute_logger("odoo.addons.payment.models.payment_transaction"):
            self.tell()
            self.tell()
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertEqual(self.tx.state, "pending")  # the money may be gone: the customer must not pay again
        self.assertEqual(self.bill.amount_residual, 120)
        self.assertEqual(self.alerts().mapped("kind"), ["mismatch"])
        self.assertIn("uncertain", self.chatter(self.bill))
        operation._inquire()  # the platform knows the payment, but a difference is for a person to look into
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertEqual(operation.answered_amount, 60)
        operation._resolve("approved", "seen in the back office", 60)
        self.assertEqual((operation.state, self.tx.state, self.tx.amount), ("approved", "done", 60))
        self.assertEqual(self.bill.amount_residual, 60, "the rest is still to be paid")

    def test_success_without_authorisation(self):
        self.simulator.set(authorisation=False)
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.assertEqual((self.operation(self.tx).state, self.tx.state), ("unknown", "pending"))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_refusal_after_an_uncertain_success_says_nothing_about_it(self):
        self.simulator.set(amount=1)
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.simulator.set(amount=None)
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "51")
        self.tell()
        self.assertEqual(self.operation(self.tx).state, "unknown")

    def test_test_platform_pays_nothing_in_production(self):
        """It signs with the same key: whoever has a test account could pay everybody's invoices."""
        self.provider._write({"state": "enabled"})  # no step that a person can take while the page is open
        self.operation(self.tx).merchant_account = self.provider._servipay_merchant()
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.untouched()
        self.assertEqual(self.alerts().mapped("kind"), ["mismatch"])
        self.simulator.reset()
        self.simulator.set(notify="never")
        self.simulator.live = True
        self.addCleanup(setattr, self.simulator, "live", False)
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        self.assertEqual(self.tx.state, "done")

    def test_test_platform_pays_nothing_at_a_provider_that_was_switched_off(self):
        """Its old transactions are as real as before."""
        self.provider.state = "disabled"
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.untouched()
        self.assertEqual(self.alerts().mapped("kind"), ["mismatch"])

    def test_second_payment_of_the_same_reference(self):
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        self.tell()
        self.assertEqual(self.alerts().mapped("kind"), ["paid_twice"])
        self.assertEqual(
            self.env["account.payment"].search_count([("payment_transaction_id", "=", self.tx.id)]), 1
        )

    # -- confirmed in the merchant's own name

    def test_another_merchants_payment_is_none(self):
        """It is signed with the same key, and says our reference and amount."""
        self.simulator.set(merchant="other")
        self.simulator.attempt(self.page, "ok")
        self.assertEqual(self.tell().status_code, 200)
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))
        self.assertIn("does not confirm", self.chatter(self.bill))
        self.assertFalse(self.alerts(), "a platform may not find at once what it has just reported")
        for _again in range(2):
            operation._inquire()
            self.assertEqual(self.alerts().mapped("kind"), ["unconfirmed"])
            self.assertEqual((operation.reason, len(self.mails())), ("unconfirmed", 1))
        # the customer's own payment counts all the same
        self.simulator.set(merchant="own")
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def test_nobody_to_confirm_it(self):
        """Nothing is booked meanwhile, the customer need not pay again; it is booked once it is confirmed."""
        operation = self.report(direct="garbage")
        self.assertEqual((operation.state, operation.reason), ("pending", "unasked"))
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))
        self.assertFalse(self.alerts())
        operation.next_inquiry_at = fields.Datetime.now() - timedelta(minutes=1)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def test_never_confirmed_is_for_a_person(self):
        operation = self.report(merchant="other")
        operation.write({"deadline_at": "2020-01-01", "next_inquiry_at": "2020-01-01"})
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.assertEqual((operation.state, self.tx.state), ("unknown", "pending"))
        operation._resolve("failed", "not in the back office")
        self.assertEqual((operation.state, self.bill.amount_residual), ("failed", 120))
        self.assertEqual(self.tx.state, "error", "the invoice can be paid online again")

    def test_error_of_the_platform_is_no_answer(self):
        self.simulator.set(direct="98")
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.assertEqual((self.operation(self.tx).reason, self.alerts().ids), ("unasked", []))

    def test_refused_then_being_confirmed(self):
        """Who pays in the second attempt does not read that he was refused, and is not asked to pay again."""
        self.simulator.attempt(self.page, "51")
        self.tell()
        self.assertEqual(self.tx.state, "error")
        self.simulator.attempt(self.page, "ok")
        with patch(CONFIRM):
            self.tell()
        self.assertEqual((self.operation(self.tx).reason, self.tx.state), ("confirming", "pending"))

    def test_second_payment_waits_for_the_first(self):
        """While it is not known what the first is worth, the second must not take its place."""
        operation = self.report(direct="garbage")
        first = operation.external_ref
        self.simulator.set(merchant="other")
        paid = self.simulator.charges[:]
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.simulator.charges[:0] = paid
        with mute_logger(INBOX):
            self.tell()
        self.assertEqual(operation.external_ref, first)
        self.assertEqual(self.stored(state="failed").event, "00000")
        operation._inquire()
        self.assertEqual((operation.state, operation.external_ref), ("approved", first))
        self.stored(state="failed").action_replay()
        self.assertEqual(self.alerts().mapped("kind"), ["paid_twice"])

    def test_refusal_says_nothing_about_what_was_reported_as_paid(self):
        """Whoever can make messages could else make a payment that is being confirmed look refused."""
        operation = self.report(direct="garbage")
        self.simulator._refuse(self.page, "00151", int(operation.external_ref))
        self.assertEqual(self.tell().status_code, 200)
        self.assertEqual((operation.state, operation.reason), ("pending", "unasked"))
        operation._inquire()
        self.assertEqual((operation.state, self.tx.state), ("approved", "done"))

    def test_two_reports_of_one_transaction_at_once(self):
        """Neither saw the other when it was taken, and the contract cannot be asked by reference."""
        self.simulator.set(existence=False)
        operation = self.report(direct="garbage")
        other = self.transaction(self.invoice())
        self.form(other)
        twin = self.operation(other)
        twin.write({"external_ref": operation.external_ref, "paybox_call": operation.paybox_call})
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.assertIn(twin.name, operation.detail)
        operation._inquire()
        self.assertEqual(self.alerts().mapped("kind"), ["unconfirmed"])
        operation.deadline_at = "2020-01-01"  # a day later it is still one payment
        operation._inquire()
        operation._inquire()
        twin._inquire()
        self.assertEqual((operation.state, twin.state), ("unknown", "pending"))

    def test_confirmation_stays_strict_whatever_the_reason_says(self):
        """The deadline, a cancellation that is refused and a missing key write reasons of their own."""
        operation = self.report(merchant="other")
        operation.authorization_code = "other"
        self.simulator.charges[0].own = True  # known now, with another authorisation
        operation._cancel()
        self.assertEqual(operation.reason, "cancel_refused")
        operation._inquire()
        self.assertEqual((operation.state, self.tx.state), ("pending", "pending"))
        operation.deadline_at = "2020-01-01"
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "overdue"))
        operation._inquire()
        self.assertEqual((operation.state, self.tx.state), ("unknown", "pending"))

    def test_what_was_reported_before_is_asked_about_too(self):
        """A forged report has taken the place of the true one, which the platform did not find at once."""
        operation = self.report(merchant="other")
        true, charge = operation.external_ref, self.simulator.charges[0]
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        self.assertNotEqual(operation.external_ref, true)
        self.assertEqual(operation.reason, "unconfirmed")
        charge.own = True
        self.simulator.charges.append(charge)
        operation._inquire()
        self.assertEqual((operation.state, operation.external_ref), ("approved", true))
        self.assertEqual((self.tx.state, self.tx.provider_reference), ("done", true))
        self.assertEqual(operation.authorization_code, "XXXXXX")

    def test_earlier_report_of_another_amount_is_not_asked_about(self):
        """It may be the merchant's own payment, of something else."""
        operation = self.report(merchant="other")
        charge = self.simulator.charges[0]
        message = self.stored()
        message.raw_query = message.raw_query.replace("Mt=12000", "Mt=100")
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        charge.own = True
        self.simulator.charges.append(charge)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.assertNotEqual(int(self.simulator.requests[-1]["NUMTRANS"]), charge.transaction)

    def test_number_of_a_second_payment_pays_nothing_else(self):
        """It was told as paid twice; a later message presents it as the payment of another invoice."""
        self.report()
        self.simulator.charges.clear()
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.tell()
        second, call = self.simulator.charges[0].transaction, self.simulator.charges[0].call
        other = self.transaction(self.invoice())
        page = self.visit(other)
        page.call = call
        self.simulator._end(page, "00000", second)
        self.tell()
        operation = self.operation(other)
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.assertIn(self.operation(self.tx).name, operation.detail)

    def test_answer_that_was_overtaken_settles_nothing(self):
        """An inquiry about the first attempt is under way while the second one is reported as paid."""
        operation = self.report("pending")
        late = replace(operation._plan("inquire")(), state="declined", reason="ppps_refused")
        with patch(CONFIRM):
            self.simulator.attempt(self.visit(self.tx), "ok")
            self.tell()
        operation._apply(late)
        self.assertEqual((operation.state, operation.reason), ("pending", "confirming"))
        operation._inquire()
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def test_page_is_not_left_when_it_was_paid_meanwhile(self):
        operation = self.operation(self.tx)
        operation.deadline_at = "2020-01-01"
        self.env.flush_all()
        late = operation._plan("inquire")()
        self.assertTrue(late.denied)
        with patch(CONFIRM):
            self.simulator.attempt(self.page, "ok")
            self.tell()
        operation._apply(late)
        self.assertEqual((operation.state, operation.reason), ("pending", "confirming"))

    def test_pending_payment_of_another_amount(self):
        """It would be settled by an inquiry, which tells no amount."""
        operation = self.report("pending", amount=1)
        self.simulator._charge(self.page, int(operation.external_ref))
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertEqual(self.alerts().mapped("kind"), ["mismatch"])

    def test_report_that_cannot_be_asked_about(self):
        """Without its numbers it would wait in silence while the customer may pay again."""
        for number in ("0", "none"):
            transaction = self.transaction(self.invoice())
            self.form(transaction)
            text = f"Mt=12000&Ref={transaction.reference}&Auto=XXXXXX&Erreur=00000&Appel=12&Trans={number}"
            self.assertEqual(self.send(self.simulator._signed(self.page, text, text)).status_code, 200)
            operation = self.operation(transaction)
            self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"), number)
        self.assertEqual(len(self.alerts("mismatch")), 2)

    def test_known_transaction_pays_nothing_else(self):
        """Who makes the form chooses the names: an old payment's numbers come with a new reference."""
        self.simulator.attempt(self.page, "ok")
        self.tell()
        other = self.transaction(self.invoice())
        visit = self.visit(other)
        visit.call = self.page.call
        self.simulator.charges[0].reference = other.reference
        with patch.object(self.simulator, "next_number", lambda: self.simulator.charges[0].transaction):
            self.simulator.attempt(visit, "ok")
        self.tell()
        operation = self.operation(other)
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertIn(self.operation(self.tx).name, operation.detail)
        self.assertNotEqual(other.state, "done")

    def test_contract_without_inquiries(self):
        self.provider.paybox_confirm = False
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.assertEqual((self.tx.state, self.simulator.requests), ("done", []))
        self.assertEqual(self.bill.amount_residual, 0)

    def test_without_inquiries_what_a_browser_brings_waits_for_the_platform(self):
        """Case A4: other merchants can have any text signed, and any browser can bring it."""
        self.provider.paybox_confirm = False
        self.provider.paybox_addresses = "195.25.67.22"
        target = self.simulator.attempt(self.page, "ok")
        with self.assertLogs(PROVIDER, "WARNING"):
            self.send(target.partition("?")[2], "/payment/paybox/return")
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, operation.reason), ("pending", "pb_returned"))
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))
        with self.assertLogs(PROVIDER, "WARNING"):
            self.assertEqual(self.tell().status_code, 403)  # nor from anywhere else
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))
        self.provider.paybox_addresses = "127.0.0.1"
        self.assertEqual(self.tell().status_code, 200)
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("done", 0))

    def test_without_inquiries_a_payment_that_only_a_browser_reports_is_told(self):
        self.provider.paybox_confirm = False
        self.simulator.set(direct="garbage")
        target = self.simulator.attempt(self.page, "ok")
        self.send(target.partition("?")[2], "/payment/paybox/return")
        operation = self.operation(self.tx)
        operation.deadline_at = operation.next_inquiry_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()
        self.assertEqual((operation.state, self.bill.amount_residual), ("unknown", 120))
        self.assertTrue(operation.activity_ids)

    def test_without_inquiries_a_message_stored_before_its_order_pays_nothing(self):
        """It came from elsewhere, about an order that nobody knew yet."""
        reference = self.tx.reference
        self.simulator.attempt(self.page, "ok")
        self.tx.reference = "not yet"
        self.assertEqual(self.tell().status_code, 200)
        self.tx.reference = reference
        self.provider.paybox_confirm = False
        self.provider.paybox_addresses = "195.25.67.22"
        self.env.flush_all()
        with self.assertLogs(PROVIDER, "WARNING"):
            self.stored().action_replay()
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))

    # -- what could not be verified or read

    def test_key_that_is_entered_later(self):
        self.simulator.set(sign="second")
        self.simulator.attempt(self.page, "ok")
        self.assertEqual(self.tell().status_code, 403)
        notification = self.stored()
        notification.action_replay()
        self.assertEqual(notification.state, "rejected")
        self.provider.paybox_public_keys += self.simulator.keys["second"].pem
        self.env.flush_all()
        notification.action_replay()
        self.assertEqual((notification.state, notification.verified), ("processed", True))
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("done", 0))
        self.assertEqual(self.tell().status_code, 200)
        self.assertEqual(len(self.stored()), 1)

    def test_signed_but_unreadable_stays_in_the_inbox(self):
        signed = self.simulator._signed(self.page, *["Mt=1&Mt=2&Ref=x&Erreur=00000"] * 2)
        with mute_logger(INBOX, "odoo.addons.payment_paybox.models.servipay_notification"):
            self.assertEqual(self.send(signed).status_code, 200)
        self.assertEqual((self.stored().state, self.stored().verified), ("failed", True))

    def test_alerts_from_outside_are_bounded(self):
        for number in range(25):
            self.simulator.set(reference=f"INV/DELETED/{number}")
            self.simulator.attempt(self.visit(self.transaction(self.invoice())), "ok")
            self.tell()
        kinds = self.alerts().mapped("kind")
        told = servipay_alert.TOLD_PER_HOUR
        self.assertEqual((kinds.count("unknown_reference"), kinds.count("too_many")), (told, 1))
        self.assertEqual(self.alerts("too_many").count, 25 - told)
        self.assertEqual(len(self.mails()), servipay_alert.TOLD_PER_HOUR + 1)

    def test_messages_about_nothing_are_a_bounded_number_of_rows(self):
        with patch(f"{ORPHANS}.ORPHANS_PER_HOUR", 5):
            for number in range(12):
                text = f"Mt=12000&Ref=NOBODY/{number}&Auto=XXXXXX&Erreur=00000&Appel=12&Trans={number + 1}"
                self.assertEqual(self.send(self.simulator._signed(self.page, text, text)).status_code, 200)
        rows = self.stored()
        self.assertEqual((len(rows), sum(rows.mapped("copies"))), (6, 12))
        self.env.flush_all()
        self.env.cr.execute("UPDATE servipay_notification SET create_date = '2020-01-01'")
        self.env["servipay.notification"]._gc_servipay_orphans()
        self.assertFalse(rows.exists())

    def test_unknown_reference_is_told_to_every_company(self):
        other = self.env["res.company"].create({"name": "Other company"})
        self._make_provider(other)
        self.simulator.set(reference="INV/DELETED/1")
        self.simulator.attempt(self.page, "ok")
        self.tell()
        self.assertEqual(self.alerts().company_id, self.company | other)

    def test_what_fails_is_applied_later_once(self):
        self.simulator.attempt(self.page, "ok")
        with patch(LEARN, side_effect=RuntimeError("broken")), mute_logger(INBOX):
            self.assertEqual(self.tell().status_code, 200)
        notification = self.stored()
        self.assertEqual((notification.state, self.tx.state), ("failed", "draft"))
        notification.next_attempt_at = fields.Datetime.now() - timedelta(minutes=1)
        self.env.flush_all()
        self.env["servipay.notification"].sudo()._cron_apply()
        self.assertEqual(
            (notification.state, self.tx.state, self.bill.amount_residual), ("processed", "done", 0)
        )
        notification.action_replay()
        self.assertEqual(
            self.env["account.payment"].search_count([("payment_transaction_id", "=", self.tx.id)]), 1
        )

    def test_unexpected_sender_is_noted_and_nothing_else(self):
        self.provider.paybox_addresses = "195.25.67.22"
        self.simulator.attempt(self.page, "ok")
        with self.assertLogs(PROVIDER, "WARNING"):
            self.tell()
        self.assertEqual(self.tx.state, "done")

    def test_pending_for_long_is_told_once(self):
        self.simulator.attempt(self.page, "pending")
        self.tell()
        operations = self.env["servipay.operation"]
        operations._paybox_cron_pending()
        self.assertFalse(self.alerts())
        self.env.cr.execute(
            "UPDATE servipay_operation SET create_date = create_date - interval '5 days' WHERE id = %s",
            [self.operation(self.tx).id],
        )
        self.env.invalidate_all()
        operations._paybox_cron_pending()
        operations._paybox_cron_pending()
        self.assertEqual(self.alerts().mapped("kind"), ["pending_long"])
