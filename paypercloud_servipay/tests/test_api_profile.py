"""Profiles as data: presets, export and import, errors that name the field."""

import base64
import json

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..api import presets
from ..api import profile as profiles
from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestApiProfile(ApiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.profile = cls.env.ref("paypercloud_servipay.profile_default")
        cls.profiles = cls.env["servipay.api.profile"]

    def endpoint(self, key):
        return self.profile.endpoint_ids.filtered(lambda endpoint: endpoint.key == key)

    def test_records_mirror_the_presets(self):
        for name in presets.preset_names():
            profile = self.env.ref(f"paypercloud_servipay.profile_{name}")
            expected = profiles.normalise(presets.load(name))
            self.assertEqual(profile._document(), expected)
            self.assertFalse(profile.verified, "nobody has checked an assumption")
            self.assertEqual(tuple(profile.endpoint_ids.mapped("key")), profiles.ENDPOINT_KEYS)

    def test_presets_are_loaded_once_and_changes_kept(self):
        self.profile.base_path = "/api/v3"
        count = self.profiles.search_count([])
        self.profiles._load_presets()
        self.assertEqual(self.profiles.search_count([]), count)
        self.assertEqual(self.profile.base_path, "/api/v3")

    def test_reset(self):
        self.profile.base_path = "/api/v3"
        self.endpoint("purchase").path = "/pay"
        self.profile.action_reset()
        self.assertEqual(self.profile._document(), profiles.normalise(presets.load("default")))

    def test_export_then_import(self):
        self.profile.verified = True
        text = base64.b64decode(self.profile.export_file).decode()
        copy = self.profiles._import(text)
        self.assertEqual({**copy._document(), "verified_with_vendor": True}, self.profile._document())
        self.assertFalse(copy.verified, "what is imported was not checked here")

    def test_export_by_http(self):
        action = self.profile.action_export()
        self.authenticate("servipay_manager", "servipay_manager")
        answer = self.url_open(action["url"])
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(json.loads(answer.content), self.profile._document())

    def test_import_dialog(self):
        text = json.dumps(self.profile._document()).encode()
        values = {"file": base64.b64encode(text), "filename": "x.json"}
        dialog = self.env["servipay.profile.import"].with_user(self.manager).create(values)
        self.assertEqual(dialog.action_import()["res_model"], "servipay.api.profile")
        with self.assertRaises(AccessError):
            self.env["servipay.profile.import"].with_user(self.reader).create(values)
        for wrong in (b"no json", b"{}", b"\xff\xfe\x00", b"[" * 100000, b'{"format": "x"}'):
            dialog.file = base64.b64encode(wrong)
            with self.assertRaises(UserError):
                dialog.action_import()

    def test_errors_name_the_field(self):
        """(what is written, what the message must name)"""
        purchase, status = self.endpoint("purchase"), self.endpoint("operation_status")
        cases = (
            (purchase, {"body": '{"amount": "{amount"}'}, "endpoints.purchase.body.amount"),
            (purchase, {"body": "{not json"}, "endpoints.purchase.body"),
            (purchase, {"body": '{"amount": "{price}"}'}, "endpoints.purchase.body.amount"),
            (purchase, {"path": "no-slash"}, "endpoints.purchase.path"),
            (purchase, {"path": "/a/../b"}, "endpoints.purchase.path"),
            (purchase, {"method": "GET"}, "endpoints.purchase"),
            (purchase, {"success_codes": "2xx"}, "endpoints.purchase.success_codes"),
            (purchase, {"retry_safe": True}, "endpoints.purchase"),
            (status, {"response": '{"status": ["a..b"]}'}, "endpoints.operation_status.response.status"),
            (status, {"path": "/status"}, "endpoints.operation_status"),
            (self.profile, {"headers": '{"Authorization": "x"}'}, "headers"),
            (self.profile, {"headers": '{"X": "a\\r\\nb"}'}, "headers"),
            (self.profile, {"poll_first": 0}, "poll.first"),
            (self.profile, {"pending_http_codes": "202, pending"}, "pending_http_codes"),
        )
        for record, values, place in cases:
            with self.subTest(values), self.assertRaises(ValidationError) as caught, self.cr.savepoint():
                record.write(values)
                self.env.flush_all()
            self.assertIn(place, str(caught.exception), values)

    def test_no_word_of_doubt_can_mean_approved(self):
        with self.assertRaises(ValidationError):
            self.profile.word_ids.filtered(lambda word: word.word == "timeout").state = "approved"

    def test_no_code_is_evaluated(self):
        for text in ("{amount.__class__}", "{0}", "{amount!r}", "{amount:>10}", "${amount}}", "{env.cr}"):
            with self.subTest(text), self.assertRaises(ValidationError), self.cr.savepoint():
                self.endpoint("purchase").body = json.dumps({"amount": text, "reference": "{reference}"})

    def test_each_endpoint_once(self):
        with self.assertRaises(ValidationError):
            self.endpoint("purchase").copy()
