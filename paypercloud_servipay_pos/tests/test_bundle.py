import re

from odoo.tests import TransactionCase, tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

DEFINE = re.compile(r"odoo\.define\(['\"`]([^'\"`]+)['\"`],\s*\[(.*?)\]", re.S)
OURS = "@paypercloud_servipay_pos/"


@tagged("post_install", "-at_install")
class TestBundle(TransactionCase):
    def test_no_module_needs_what_the_bundle_lacks(self):
        """On 17.0 one missing module leaves the till blank."""
        params = self.env["ir.asset"]._get_asset_params()
        bundle = self.env["ir.qweb"]._get_asset_bundle(
            "point_of_sale.assets_prod", css=False, js=True, assets_params=params
        )
        needed = {
            name: re.findall(r"['\"`]([^'\"`]+)['\"`]", names)
            for name, names in DEFINE.findall(bundle.js().raw.decode())
        }
        self.assertIn(f"{OURS}terminal", needed)
        self.assertEqual(f"{OURS}compat/17.0/pos" in needed, SERIES == 17)
        missing = {
            name: [each for each in names if each not in needed]
            for name, names in needed.items()
            if name.startswith(OURS)
        }
        self.assertFalse({name: names for name, names in missing.items() if names})
