"""Who stands at a till: the user, or with Odoo's module for employees (pos_hr) an employee and his PIN."""

import hmac
import time

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.own_transaction import in_own_transaction

from .till_input import as_dict, record_ids, text
from .till_rights import CASHIER, MANAGER, MINIMAL, ROLES

_logger = get_logger(__name__)
WRONG_PINS = 5  # of one employee in a minute; the next ones are refused unread
LONGEST_PIN = 64
MANAGERS = ("point_of_sale.group_pos_manager", "paypercloud_servipay.group_manager")


def is_manager(user):
    """Return whether a user may decide about payments at a point of sale."""
    return any(user.has_group(group) for group in MANAGERS)


class PosConfig(models.Model):
    _inherit = "pos.config"

    def _servipay_has_employees(self):
        """Return whether the people of this point of sale are employees. pos_hr may not be installed."""
        known = "module_pos_hr" in self._fields and "hr.employee" in self.env
        return bool(known and "basic_employee_ids" in self._fields and self.sudo().module_pos_hr)

    def _servipay_role(self, employee):
        """Return the role that pos_hr gives an employee here."""
        config, user = self.sudo(), employee.user_id
        if employee in config.advanced_employee_ids or (user and is_manager(user)):
            return MANAGER
        if "minimal_employee_ids" in config._fields and employee in config.minimal_employee_ids:
            return MINIMAL
        return CASHIER


class PosSession(models.Model):
    _inherit = "pos.session"

    def _servipay_person(self, role, cashier):
        """Return the name of the employee at the till ("" without employees); AccessError below the role."""
        config = self.sudo().config_id
        if not config._servipay_has_employees():
            if role == MANAGER and not is_manager(self.env.user):
                raise AccessError(_("Only a manager may do this. Nothing was changed; call one."))
            return ""
        employee = self._servipay_employee(cashier)
        if not employee and role == MINIMAL:
            return ""  # nobody was named: what everybody at the till may do
        if not employee or ROLES.index(config._servipay_role(employee)) < ROLES.index(role):
            raise AccessError(
                _("Only a manager may do this: he chooses himself and types his PIN. Nothing was changed.")
                if role == MANAGER
                else _("%s may not do this here. Nothing was changed.", employee.name or _("Nobody"))
            )
        if role == MANAGER:
            self.env["servipay.pin.attempt"]._check(employee, as_dict(cashier).get("pin"))
        return employee.name

    def _servipay_employee(self, cashier):
        """Return the ``hr.employee`` whom the till names (may be empty); AccessError for one of elsewhere."""
        numbers = record_ids([as_dict(cashier).get("employee_id")])
        employees = self.env["hr.employee"].sudo()
        if not numbers:
            return employees
        allowed = self.sudo().config_id._employee_domain(self.env.uid)
        employee = employees.search([("id", "in", numbers)]).filtered_domain(allowed)
        if not employee:
            raise AccessError(_("This employee may not use this point of sale. Nothing was changed."))
        return employee


class ServipayPinAttempt(models.Model):
    """PINs that were tried and were not right: few of a minute, whoever tries in however many requests.

    A PIN has four digits. Each try takes one of the minute's numbers before it is compared, and gives it back
    when it was right; the unique index is what lets two requests not take the same one."""

    _name = "servipay.pin.attempt"
    _description = "Wrong PIN at a till"

    employee_number = fields.Integer(required=True)
    minute = fields.Integer(required=True, help="Since 1970.")
    number = fields.Integer(required=True)

    def init(self):
        """No number of a minute is taken twice."""
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS servipay_pin_attempt_once"
            " ON servipay_pin_attempt (employee_number, minute, number)"
        )

    @api.model
    def _check(self, employee, pin):
        """Compare a PIN (text) with an employee's; AccessError, or UserError after too many wrong ones."""
        right = employee.sudo().pin
        if not right:
            raise AccessError(
                _(
                    "%s has no PIN in Odoo, so nobody can decide as this person here. Nothing was changed.",
                    employee.name,
                )
            )
        number = in_own_transaction(self.env, lambda env: env[self._name]._take(employee.id))
        if not number:
            _logger.warning("employee %s: too many wrong PINs at a till", employee.id)
            raise UserError(
                _("Too many wrong PINs of %s. Wait a minute; nothing was changed.", employee.name)
            )
        given = (text(pin, LONGEST_PIN) or "").encode()
        if not hmac.compare_digest(given, right.encode()):
            raise AccessError(_("This is not the PIN of %s. Nothing was changed.", employee.name))
        in_own_transaction(self.env, lambda env: env[self._name].browse(number).unlink())

    @api.model
    def _take(self, employee_number):
        """Return the id of a free number of this minute, 0 when all are taken."""
        minute = int(time.time() // 60)
        self.search([("minute", "<", minute - 1)], limit=100).unlink()
        taken = self.search([("employee_number", "=", employee_number), ("minute", "=", minute)])
        free = next((n for n in range(WRONG_PINS) if n not in taken.mapped("number")), None)
        if free is None:
            return 0
        values = {"employee_number": employee_number, "minute": minute, "number": free}
        attempt = self.create(values)
        self.env.flush_all()  # the index speaks here, and the try is made again from the start
        return attempt.id
