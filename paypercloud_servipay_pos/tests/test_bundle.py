import logging
import re

from odoo.tests import TransactionCase, tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

DEFINE = re.compile(r"odoo\.define\(['\"`]([^'\"`]+)['\"`],\s*\[(.*?)\]", re.S)
OURS = "@paypercloud_servipay_pos/"
FOLDERS = ("/paypercloud_servipay_pos/", "/pos_caisse_ap_ip/")
# guards of what is being paid, dialogs with amounts and PINs, what three series call things: about as much as
# the till's own payment screen
MOST_BYTES = 44 * 1024

_logger = logging.getLogger(__name__)


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
        for series in (17, 18, 19):
            self.assertEqual(f"{OURS}compat/{series}.0/series" in needed, SERIES == series)
        missing = {
            name: [each for each in names if each not in needed]
            for name, names in needed.items()
            if name.startswith(OURS)
        }
        self.assertFalse({name: names for name, names in missing.items() if names})

    def test_size(self):
        """What every till loads stays small (scripts as served, templates without indentation)."""
        params = self.env["ir.asset"]._get_asset_params()
        bundle = self.env["ir.qweb"]._get_asset_bundle(
            "point_of_sale.assets_prod", css=False, js=True, assets_params=params
        )
        ours = [a for a in (*bundle.javascripts, *bundle.templates) if a.url.startswith(FOLDERS)]
        sizes = {asset.url: len(_minified(asset).encode()) for asset in ours}
        total = sum(sizes.values())
        _logger.info("Bytes of our files in the till's bundle: %s, %s", total, sizes)
        self.assertGreater(total, 5000, "nothing was measured")
        for asset in ours:
            # a form of `export` that Odoo does not translate leaves the whole till blank
            self.assertNotRegex(_minified(asset), r"(^|[;}\n])\s*export\b", asset.url)
        self.assertLessEqual(total, MOST_BYTES)


def _minified(asset):
    if asset.url.endswith(".xml"):
        return re.sub(r"\s+", " ", re.sub(r">\s+<", "><", asset.content))
    # Odoo's own comment that names the file (behind an empty line) is none of ours
    return re.sub(r"\A\s*/\*.*?\*/\s*", "", asset.minify(), flags=re.S)
