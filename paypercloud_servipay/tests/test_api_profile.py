"""Profiles as data: presets, export and import, errors that name the field."""

import ast
import base64
import json
from pathlib import Path

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged

from ..api import presets
from ..api import profile as profiles
from .common import ApiCase

# what only a programmer can get to read
INTERNAL = ("amounts.py", "jsontext.py", "outcome.py", "states.py", "presets.py")
PROGRAMMERS = (
    "The credentials are missing.",
    "The values are given by name.",
    "The amount is a Decimal of major units.",
    "The values of a template are given by name.",
    "A path is a text.",
)


def english_sentences():
    """Yield the English sentences of the protocol room's errors, "X" in the place of each value."""
    for path in Path(profiles.__file__).parent.glob("*.py"):
        if path.name in INTERNAL:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = _text_of(_sentence_node(node))
            if text and text not in PROGRAMMERS:
                yield text[:1].upper() + text[1:]


def _sentence_node(node):
    """The node of ``it`` in ``fail(found, place, code, it)``, ``ProtocolError(it)``, ``sentence = it``."""
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "sentence":
        return node.value
    name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
    place = {"fail": 3, "ProtocolError": 0}.get(name)
    return node.args[place] if place is not None and len(node.args) > place else None


def _text_of(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


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

    def test_errors_in_the_readers_language(self):
        """Every sentence of the protocol room has its translation; they are read from its sources."""
        sentences = self.env["servipay.sentence"]
        said = sorted(english_sentences())
        self.assertGreater(len(said), 45)
        unknown = [text for text in said if not sentences._knows(text)]
        self.assertFalse(unknown)
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["paypercloud_servipay"], ["fr_FR"])
        french = sentences.with_context(lang="fr_FR")
        self.assertFalse([text for text in said if french._translate(text) == text])
        with self.assertRaises(ValidationError) as caught:
            self.endpoint("purchase").with_context(lang="fr_FR").path = "no-slash"
        self.assertIn("endpoints.purchase.path: Doit commencer par", str(caught.exception))
        self.assertEqual(french._translate("something else"), "something else")
        self.assertEqual(french._translate_differences("amount: 1 / 2; x: a"), "montant: 1 / 2; x: a")

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

    def test_what_another_company_uses(self):
        """A manager of one company does not say what an answer to another one means."""
        other = self.env["res.company"].create({"name": "Other shop"})
        user = self.make_user_of(other)
        shared = self.env.ref("paypercloud_servipay.profile_default").with_user(user)
        shared = shared.with_context(allowed_company_ids=other.ids)
        tries = (
            lambda: shared.write({"verified": True}),
            lambda: shared.word_ids[0].write({"state": "approved"}),
            lambda: shared.word_ids[0].unlink(),
            lambda: shared.endpoint_ids[0].write({"success_codes": "200, 500"}),
            lambda: shared.word_ids.create({"profile_id": shared.id, "word": "odd", "state": "approved"}),
            lambda: shared.unlink(),
        )
        for attempt in tries:
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                attempt()
        self.company.servipay_base_url = False  # nobody else uses it any more
        shared.write({"verified": True})

    def make_user_of(self, company):
        """Return a payments manager of one company."""
        return new_test_user(
            self.env,
            "profile_other",
            groups="paypercloud_servipay.group_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
