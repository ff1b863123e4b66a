"""Fed to `odoo shell`: writes the translation template of the addon SERVIPAY_ADDON to SERVIPAY_TARGET."""

import io
import os
import re

from odoo.release import series
from odoo.tools.translate import trans_export

addon, target = os.environ["SERVIPAY_ADDON"], os.environ["SERVIPAY_TARGET"]
env["ir.module.module"].search([("name", "=", addon)], limit=1).ensure_one()  # noqa: F821
stream = io.BytesIO()
trans_export(False, [addon], stream, "po", env.cr if series == "17.0" else env)  # noqa: F821
text = stream.getvalue().decode()
text = re.sub(r'^"(POT-Creation-Date|PO-Revision-Date): .*\n', "", text, flags=re.M)
text = re.sub(r'^"Project-Id-Version: .*', '"Project-Id-Version: Odoo Server\\\\n"', text, flags=re.M)
text = re.sub(r"^(# \* )?#\s*Translators:.*\n", "", text, flags=re.M)
with open(target, "w") as file:
    file.write(text)
print("done")
