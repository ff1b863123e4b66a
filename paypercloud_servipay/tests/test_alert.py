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
