"""Alerts: told once, to each person in the person's language, on the document or on the alert itself."""

from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.servipay_alert import TOLD_PER_HOUR
from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestAlert(ApiCase):
    def tell(self, key="k", **values):
        """Raise an alert and return it."""
        values = {"kind": "mismatch", "company": self.company, "users": self.env["res.users"], **values}
        return self.env["servipay.alert"]._raise_once(key, **values)

    def mails(self):
        """Return the addresses that were written to."""
        domain = [("model", "=", "servipay.alert"), ("email_to", "!=", False)]
        return sorted(self.env["mail.mail"].search(domain).mapped("email_to"))

    def test_once_per_event(self):
        self.manager.email = "manager@example.com"
        first = self.tell()
        self.assertTrue(first)
        self.assertFalse(self.tell())
        self.assertTrue(self.tell("other"))
        self.assertEqual(self.mails(), ["manager@example.com"] * 2)

    def test_flood_is_told_in_one_mail(self):
        """Messages from outside must not fill a mailbox, nor keep it from being told that there are more."""
        self.manager.email = "manager@example.com"
        alerts = [self.tell(f"k{number}") for number in range(TOLD_PER_HOUR + 3)]
        self.assertTrue(all(alerts))
        self.assertEqual(len(self.mails()), TOLD_PER_HOUR + 1)
        many = self.env["servipay.alert"].search([("kind", "=", "too_many")])
        self.assertEqual(many.detail, "Differs from what was asked")
        self.assertIn("More than 20 alerts", many.explanation)
        self.assertEqual(many.user_ids, self.manager)

    def test_flood_about_nothing_is_counted_in_one_row(self):
        """Two thousand made-up messages must not leave two thousand rows and activities."""
        for number in range(60):
            self.tell(f"k{number}", kind="unknown_reference")
        rows = self.env["servipay.alert"].search([])
        self.assertEqual(len(rows), TOLD_PER_HOUR + 1)
        many = rows.filtered(lambda alert: alert.kind == "too_many")
        self.assertEqual(many.count, 60 - TOLD_PER_HOUR)
        self.assertIn(f"({many.count})", many.title)

    def test_document_has_one_row_and_one_activity_of_a_kind(self):
        self.manager.email = "manager@example.com"
        operation = self.purchase()
        for number in range(60):
            self.assertTrue(self.tell(f"k{number}", document=operation, kind="paid_twice"))
        alert = self.env["servipay.alert"].search([])
        self.assertEqual((len(alert), alert.count), (1, 60))
        self.assertEqual(len(operation.activity_ids), 1)
        self.assertIn("(60)", operation.activity_ids.summary)
        self.assertEqual(len(self.mails()), 6)  # at 1, 2, 5, 10, 20 and 50
        self.assertFalse(self.tell("k59", document=operation, kind="paid_twice"), "told before")
        self.assertTrue(self.tell("k1", document=operation))  # of another kind
        self.assertEqual(len(operation.activity_ids), 2)

    def test_what_is_done_is_told_anew(self):
        operation = self.purchase()
        first = self.tell("k1", document=operation)
        first.with_user(self.reader).action_done()
        self.assertEqual(first.state, "done")
        self.assertFalse(operation.activity_ids)
        self.assertFalse(self.tell("k1", document=operation))
        second = self.tell("k2", document=operation)
        self.assertNotEqual(second, first)
        self.assertEqual((second.state, len(operation.activity_ids)), ("open", 1))
        first.action_reopen()
        self.assertEqual(first.state, "open")

    def test_old_alerts_are_deleted(self):
        operation = self.purchase()
        kept, done, nothing = self.tell("k1", document=operation), self.tell("k2"), self.tell("k3")
        done.action_done()
        self.env.flush_all()
        self.env.cr.execute("UPDATE servipay_alert SET create_date = '2020-01-01', write_date = '2020-01-01'")
        self.env["servipay.alert"]._gc_servipay_alerts()
        self.assertEqual((kept | done | nothing).exists(), kept)

    def test_text_of_somebody_else_is_one_bounded_line(self):
        self.manager.email = "manager@example.com"
        made_up = "A\r\nBcc: x@example.com\u2028\x00\x1b[1m\u202egnp.exe " + "x" * 5000
        operation = self.purchase()
        alert = self.tell(made_up, reference=made_up, detail=made_up, document=operation)
        mail = self.env["mail.mail"].search([("model", "=", "servipay.alert")], limit=1)
        for title in (alert.title, mail.subject, operation.activity_ids.summary):
            self.assertTrue(title.isprintable(), title)
            self.assertLess(len(title), 150)
            self.assertTrue(title.endswith("…"))
        for text in (alert.reference, alert.detail):
            self.assertTrue(text.isprintable(), text)
            self.assertLessEqual(len(text), 500)
        self.assertFalse(self.tell(made_up))  # a long key is one event too
        self.assertTrue(self.tell(made_up + "y"))

    def test_without_anybody_the_companys_person_is_told(self):
        alert = self.tell()
        self.assertEqual(alert.user_ids, self.manager)
        self.assertEqual(alert.activity_ids.user_id, self.manager)

    def test_people_and_addresses(self):
        self.reader.email = "reader@example.com"
        alert = self.tell(users=self.reader, addresses=["boss@example.com"])
        self.assertEqual(self.mails(), ["boss@example.com", "reader@example.com"])
        self.assertEqual(alert.activity_ids.user_id, self.reader)

    def test_activity_on_the_document(self):
        operation = self.purchase()
        alert = self.tell(document=operation)
        self.assertEqual((alert.res_model, alert.res_id), ("servipay.operation", operation.id))
        self.assertFalse(alert.activity_ids)
        self.assertIn("Differs", operation.activity_ids.summary)
        self.assertEqual(alert.action_open_document()["res_id"], operation.id)

    def test_texts_hold_what_happened_and_no_card_number(self):
        alert = self.tell(
            reference="INV/1 {amount}", amount=12.5, currency_id=self.eur.id, detail="card 4111111111111111"
        )
        self.assertIn("12.50", alert.explanation)
        self.assertIn("INV/1 {amount}", alert.title)
        self.assertNotIn("4111111111111111", alert.explanation)

    def test_every_kind_has_a_sentence(self):
        kinds = dict(self.env["servipay.alert"]._fields["kind"].selection)
        self.assertEqual(set(kinds), set(self.env["servipay.alert"]._sentences()))

    def test_person_who_may_not_read_the_document(self):
        document = self.env["res.partner"].create({"name": "Secret", "company_id": self.company.id})
        refuse = patch.object(
            type(document), "activity_schedule", side_effect=UserError("may not read it"), autospec=True
        )
        with refuse, mute_logger("odoo.addons.paypercloud_servipay.models.servipay_alert"):
            alert = self.tell(document=document)
        self.assertTrue(alert.exists())
        self.assertEqual(alert.res_id, document.id)

    def test_template_that_an_administrator_broke(self):
        template = self.env.ref("paypercloud_servipay.mail_template_alert")
        with (
            patch.object(type(template), "send_mail", side_effect=UserError("broken")),
            mute_logger("odoo.addons.paypercloud_servipay.models.servipay_alert"),
        ):
            alert = self.tell()
        self.assertTrue(alert.activity_ids)

    def test_access(self):
        alert = self.tell()
        self.assertTrue(alert.with_user(self.reader).read(["title", "explanation"]))
        with self.assertRaises(AccessError):
            alert.with_user(self.reader).write({"detail": "x"})
        with self.assertRaises(AccessError):
            alert.with_user(self.manager).unlink()
