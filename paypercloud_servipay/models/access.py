from odoo import _
from odoo.exceptions import AccessError

MANAGERS = "paypercloud_servipay.group_manager"


def check_manager(self):
    """Raise AccessError unless the user of these records is a payment manager (or the system itself).

    The argument is called ``self`` because that is where Odoo looks for the reader's language.
    """
    if not self.env.su and not self.env.user.has_group(MANAGERS):
        raise AccessError(_("Only payment managers may do this."))
