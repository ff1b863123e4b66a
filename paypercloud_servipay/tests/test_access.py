"""Who sees what: every field of every model of the addon, by RPC, for every kind of user."""

import base64
import json

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..compat import check_access
from ..compat.views import BASE, _is_ours
from .common import API_KEY, ApiCase

PERSISTENT = (
    *("servipay.operation", "servipay.operation.total", "servipay.api.log", "servipay.notification"),
    *("servipay.terminal", "servipay.api.profile", "servipay.api.word", "servipay.api.endpoint"),
)
DIALOGS = (
    *(
        "servipay.api.tester",
        "servipay.operation.refund",
        "servipay.operation.resolve",
        "servipay.profile.import",
    ),
)
CONFIGURATION = PERSISTENT[4:]
MANAGER_FIELDS = {
    "servipay.api.log": {"request_headers", "request_body", "response_headers", "response_body", "curl"},
    "servipay.notification": {"raw_query", "raw_body"},
}
SECRETS = ("servipay_api_key", "servipay_api_key_sealed")
# role -> groups; a group whose addon is not installed leaves a plain employee
ROLES = {
    "employee": "base.group_user",
    "cashier": "point_of_sale.group_pos_user",
    "accountant": "account.group_account_manager",
    "user": "paypercloud_servipay.group_user",
    "manager": "paypercloud_servipay.group_manager",
    "system": "base.group_system",
    "portal": "base.group_portal",
    "public": "base.group_public",
}
LOUD = (
    *("odoo.http", "odoo.models", "odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule"),
    *("odoo.service.model", "odoo.sql_db"),
)
READERS = ("user", "manager", "system")


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestAccess(ApiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        operation = cls.operations._open(
            {
                "company_id": cls.company.id,
                "provider": "paypercloud",
                "kind": "purchase",
                "amount": 5,
                "currency_id": cls.eur.id,
                "terminal_id": cls.terminal.id,
            }
        )
        operation._start()
        cls.operation = operation
        cls.env["servipay.operation.total"].create({"operation_id": operation.id, "kind": "purchase"})
        cls.env["servipay.notification"]._receive(
            "test", "access", True, company_id=cls.company.id, raw_body="x"
        )
        # once: a password's hash is slow on purpose
        cls.users = {role: cls.new_user(role) for role in ROLES}

    @classmethod
    def new_user(cls, role):
        groups = ROLES[role] if cls.env.ref(ROLES[role], raise_if_not_found=False) else "base.group_user"
        return new_test_user(
            cls.env,
            f"sweep_{role}",
            groups=groups,
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
        )

    def user(self, role):
        return self.users[role]

    def can_read(self, user, record, field):
        """Read one field as RPC does and say whether it was allowed."""
        self.env.invalidate_all()
        try:
            with mute_logger(
                "odoo.models", "odoo.addons.base.models.ir_rule", "odoo.addons.base.models.ir_model"
            ):
                record.with_user(user).read([field])
        except AccessError:
            return False
        return True

    def test_every_field_for_every_role(self):
        probes = 0
        for role in ROLES:
            user = self.user(role)
            for model in PERSISTENT:
                record = self.env[model].sudo().search([], limit=1)
                self.assertTrue(record, f"{model} has no row to try")
                manager_fields = MANAGER_FIELDS.get(model, set())
                # addons that build on this one restrict and test their own fields
                own = [name for name, field in record._fields.items() if not _is_of_another(field._module)]
                for field in own:
                    allowed = role in READERS and (role != "user" or field not in manager_fields)
                    self.assertEqual(self.can_read(user, record, field), allowed, f"{role}: {model}.{field}")
                    probes += 1
        print(
            f"\naccess sweep: {probes} fields read for {len(ROLES)} roles"
        )  # suite-check: ok a figure to show

    def test_nobody_writes_what_the_machine_writes(self):
        for role in ROLES:
            user = self.user(role)
            for model in PERSISTENT:
                record = self.env[model].sudo().search([], limit=1)
                configuration = model in CONFIGURATION and role in ("manager", "system")
                for right in ("write", "create", "unlink"):
                    self.assertEqual(
                        self.has_right(record.with_user(user), right), configuration, (role, model, right)
                    )

    def has_right(self, records, right):
        with mute_logger("odoo.addons.base.models.ir_model"):
            try:
                check_access(records.browse(), right)
            except AccessError:
                return False
            return True

    def test_dialogs_are_for_managers(self):
        for role in ROLES:
            user = self.user(role)
            for model in DIALOGS:
                expected = role in ("manager", "system")
                self.assertEqual(
                    self.has_right(self.env[model].with_user(user), "create"), expected, (role, model)
                )

    def test_secrets_of_a_company(self):
        for role in ROLES:
            user = self.user(role)
            for field in SECRETS:
                allowed = role == "system" and field == "servipay_api_key"
                self.assertEqual(self.can_read(user, self.company, field), allowed, (role, field))
            # addons that build on this one restrict and test their own fields
            settings = [
                name
                for name, field in self.company._fields.items()
                if name.startswith("servipay") and name not in SECRETS and not _is_of_another(field._module)
            ]
            self.assertGreater(len(settings), 10)
            for field in settings:
                allowed = role in ("manager", "system")
                self.assertEqual(self.can_read(user, self.company, field), allowed, (role, field))
                if allowed:
                    value = str(self.company.with_user(user).read([field]))
                    self.assertNotIn(API_KEY, value, (role, field))

    def test_a_company_is_made_by_who_may_not_see_its_settings(self):
        """Access managers create companies: the defaults of our fields are no obstacle and no leak."""
        user = new_test_user(
            self.env, "sweep_erp", groups="base.group_erp_manager,base.group_partner_manager"
        )
        company = self.env["res.company"].with_user(user).create({"name": "New shop"})
        self.assertEqual(company.sudo().servipay_environment, "production")
        company.with_user(user).write({"name": "Newer shop"})
        with self.assertRaises(AccessError), mute_logger("odoo.models"):
            company.with_user(user).write({"servipay_base_url": "https://thief.example.com"})

    def test_every_field_of_the_dialogs(self):
        """The dialogs of managers, and the settings page of administrators: field by field."""
        endpoint = self.env.ref("paypercloud_servipay.profile_default").endpoint_ids[0]
        dialogs = {
            "servipay.api.tester": {"company_id": self.company.id, "endpoint_id": endpoint.id},
            "servipay.operation.refund": {"operation_id": self.operation.id, "amount": 1},
            "servipay.operation.resolve": {
                "operation_id": self.operation.id,
                "outcome": "failed",
                "reason": "x",
            },
            "servipay.profile.import": {"file": base64.b64encode(b"{}")},
            "res.config.settings": {"company_id": self.company.id},
        }
        self.assertEqual({*dialogs} - {"res.config.settings"}, {*DIALOGS})
        probes = 0
        for role in ROLES:
            user = self.user(role)
            for model, values in dialogs.items():
                # whoever may make a dialog gets one of their own: nobody reads another person's
                allowed = (
                    role in ("system",) if model == "res.config.settings" else role in ("manager", "system")
                )
                creator = user if allowed else self.env.user
                record = self.env[model].with_user(creator).create(values)
                own = [
                    name
                    for name, field in record._fields.items()
                    if model != "res.config.settings" or name.startswith("servipay")
                ]
                for field in own:
                    self.assertEqual(self.can_read(user, record, field), allowed, f"{role}: {model}.{field}")
                    probes += 1
                if allowed:
                    self.assertNotIn(API_KEY, str(record.with_user(user).read(own)), (role, model))
        print(
            f"\naccess sweep: {probes} fields of dialogs for {len(ROLES)} roles"
        )  # suite-check: ok a figure to show

    def test_by_json_rpc(self):
        """The same over HTTP: a session, JSON, the public controller."""
        company, operation = self.company.id, self.operation.id
        endpoint = self.env.ref("paypercloud_servipay.profile_default").endpoint_ids[0].id
        log = self.env["servipay.api.log"].search([("operation_id", "=", operation)], limit=1).id
        settings = ["servipay_base_url", "servipay_pos_id", "servipay_ca_bundle", "servipay_responsible_id"]
        calls = {
            "read operations": ("servipay.operation", "search_read", [[]]),
            "read a log": ("servipay.api.log", "read", [[log], ["url"]]),
            "read a body": ("servipay.api.log", "read", [[log], ["response_body"]]),
            "read the inbox": ("servipay.notification", "search_read", [[], ["raw_body"]]),
            "read the settings": ("res.company", "read", [[company], settings]),
            "read the key": ("res.company", "read", [[company], ["servipay_api_key"]]),
            "read the sealed key": ("res.company", "read", [[company], ["servipay_api_key_sealed"]]),
            "find the key": ("res.company", "search", [[("servipay_api_key_sealed", "like", "sk")]]),
            "group by the key": (
                *("res.company", "read_group"),
                [[], ["id"], ["servipay_api_key_sealed"]],
            ),
            "export the key": ("res.company", "export_data", [[company], ["servipay_api_key_sealed"]]),
            "refresh": ("servipay.operation", "action_refresh", [[operation]]),
            "cancel": ("servipay.operation", "action_cancel", [[operation]]),
            "write a state": ("servipay.operation", "write", [[operation], {"state": "approved"}]),
            "call the state machine": ("servipay.operation", "_move", [[operation], "approved"]),
            "open the tester": (
                "servipay.api.tester",
                "create",
                [[{"company_id": company, "endpoint_id": endpoint}]],
            ),
            "test the connection": ("res.config.settings", "create", [[{"company_id": company}]]),
        }
        readers = {"read operations", "read a log", "refresh"}
        managers = {
            *readers,
            "read a body",
            "read the inbox",
            "read the settings",
            "cancel",
            "open the tester",
        }
        allowed = {
            **dict.fromkeys(("employee", "portal"), set()),
            "user": readers,
            "manager": managers,
            "system": {*managers, "read the key", "test the connection"},
        }
        for role, may in allowed.items():
            user = self.user(role)
            self.authenticate(user.login, user.login)
            for name, call in calls.items():
                answer = self.rpc(*call)
                self.assertEqual("result" in answer, name in may, (role, name, answer))
                self.assertNotIn(API_KEY, json.dumps(answer), (role, name))
        self.logout()
        for name, call in calls.items():
            self.assertNotIn("result", self.rpc(*call), ("nobody", name))

    def rpc(self, model, method, args):
        """Call a method as the web client does; return the JSON answer."""
        params = {"model": model, "method": method, "args": args, "kwargs": {}}
        with mute_logger(*LOUD):
            return self.url_open(
                "/web/dataset/call_kw",
                data=json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}),
                headers={"Content-Type": "application/json"},
            ).json()

    def test_other_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "sweep_other",
            groups="paypercloud_servipay.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        for model in (
            "servipay.operation",
            "servipay.operation.total",
            "servipay.api.log",
            "servipay.notification",
        ):
            found = self.env[model].with_user(user).with_context(allowed_company_ids=other.ids).search([])
            self.assertFalse(found, model)
        purchase = self.env.ref("paypercloud_servipay.profile_default").endpoint_ids.filtered(
            lambda endpoint: endpoint.key == "operation_status"
        )
        values = {"company_id": other.id, "endpoint_id": purchase.id, "operation_id": self.operation.id}
        tester = self.env["servipay.api.tester"].with_user(user).with_context(allowed_company_ids=other.ids)
        with self.assertRaises(AccessError), mute_logger("odoo.addons.base.models.ir_rule"):
            tester.create(values).action_call()
        operation = self.operation.with_user(user).with_context(allowed_company_ids=other.ids)
        for button in ("action_refresh", "action_cancel", "action_refund", "action_resolve"):
            with self.assertRaises(AccessError), mute_logger("odoo.addons.base.models.ir_rule"):
                getattr(operation, button)()


def _is_of_another(module):
    return bool(module) and module != BASE and _is_ours(module)
