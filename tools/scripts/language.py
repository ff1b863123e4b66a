"""Fed to `odoo shell`: activates the languages SERVIPAY_LANGUAGES and loads their translations.

Not `--load-language`: that makes the language the default of every user and partner made later.
"""

import os

codes = os.environ["SERVIPAY_LANGUAGES"].split(",")
languages = env["res.lang"].with_context(active_test=False).search([("code", "in", codes)])  # noqa: F821
env["base.language.install"].create({"lang_ids": [(6, 0, languages.ids)]}).lang_install()  # noqa: F821
env.cr.commit()  # noqa: F821
print("done")
