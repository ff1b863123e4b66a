"""What tests of neutralized copies share: Odoo's own way to neutralize, on the test's database."""

from odoo.modules.neutralize import neutralize_database

from ..models.servipay_neutralized import FLAG


def neutralize(case, flag=True):
    """Run the scripts of all installed addons as ``odoo-bin neutralize`` does.

    :param flag: False takes Odoo's own mark away again: what is left are the scripts alone
    """
    case.env.flush_all()
    neutralize_database(case.env.cr)
    _forget(case)
    case.addCleanup(_forget, case)
    if not flag:
        case.env["ir.config_parameter"].sudo().search([("key", "=", FLAG)]).unlink()
        _forget(case)


def _forget(case):
    case.env.invalidate_all(flush=False)
    case.env.registry.clear_all_caches()
