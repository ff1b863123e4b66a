"""Another addon of the same name stands before one of ours: found by the folders, told once, shown."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from odoo.tests import Form, TransactionCase, tagged

import odoo.addons

from ..compat import addons
from ..compat.addons import Shadowed, found_at, shadowed
from ..models import servipay_shadow

LOGGER = "odoo.addons.paypercloud_servipay.models.servipay_shadow"


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestFolders(TransactionCase):
    """Real folders, found by Odoo's own functions.

    Names differ per test: 19.0 remembers what it has found."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.ours, self.theirs = self.folder / "ours", self.folder / "theirs"
        path = patch.object(odoo.addons, "__path__", [str(self.theirs), str(self.ours)])
        path.start()
        self.addCleanup(path.stop)

    def addon(self, where, name, *depends, manifest=None):
        """Write an addon and return its folder."""
        folder = where / name
        folder.mkdir(parents=True)
        (folder / "__manifest__.py").write_text(manifest or repr({"name": name, "depends": list(depends)}))
        (folder / "__init__.py").write_text("")
        return folder

    def test_another_one_of_the_name_is_found(self):
        base = self.addon(self.ours, "shadow_a_base", "mail")
        ours = self.addon(self.ours, "shadow_a_pay", "mail", "shadow_a_base")
        far = self.addon(self.ours, "shadow_a_far", "shadow_a_pay")
        self.addon(self.ours, "shadow_a_fine", "shadow_a_base")
        theirs = self.addon(self.theirs, "shadow_a_pay", "mail")
        theirs_far = self.addon(self.theirs, "shadow_a_far")
        self.assertEqual(
            shadowed(base),
            [
                Shadowed("shadow_a_far", str(far), str(theirs_far)),
                Shadowed("shadow_a_pay", str(ours), str(theirs)),
            ],
        )

    def test_who_is_first_decides(self):
        base = self.addon(self.ours, "shadow_b_base")
        self.addon(self.ours, "shadow_b_pay", "shadow_b_base")
        self.addon(self.theirs, "shadow_b_pay")
        with patch.object(odoo.addons, "__path__", [str(self.ours), str(self.theirs)]):
            self.assertEqual(shadowed(base), [])

    def test_strangers_do_not_count(self):
        base = self.addon(self.ours, "shadow_c_base")
        self.addon(self.ours, "shadow_c_other", "mail")
        self.addon(self.theirs, "shadow_c_other")
        self.addon(self.ours, "shadow_c_broken", manifest="{'depends': ['shadow_c_base'")
        self.addon(self.theirs, "shadow_c_broken")
        (self.ours / "shadow_c_nothing").mkdir()
        self.assertEqual(shadowed(base), [])

    def test_the_same_folder_by_another_way(self):
        base = self.addon(self.ours, "shadow_d_base")
        real = self.addon(self.ours, "shadow_d_pay", "shadow_d_base")
        self.theirs.mkdir()
        (self.theirs / "shadow_d_pay").symlink_to(real)
        self.assertEqual(shadowed(base), [])

    def test_another_copy_of_ours(self):
        base = self.addon(self.ours, "shadow_e_base")
        self.addon(self.ours, "shadow_e_pay", "shadow_e_base")
        self.addon(self.theirs, "shadow_e_pay", "shadow_e_base")
        self.assertEqual(shadowed(base), [])

    def test_what_is_loaded_counts_more_than_the_path(self):
        folder = self.addon(self.ours, "shadow_f_pay")
        self.assertIsNone(found_at("shadow_f_nowhere"))
        self.assertEqual(found_at("shadow_f_pay"), str(folder))
        module = ModuleType("odoo.addons.shadow_f_pay")
        module.__file__ = "/theirs/shadow_f_pay/__init__.py"
        with patch.dict("sys.modules", {module.__name__: module}):
            self.assertEqual(found_at("shadow_f_pay"), "/theirs/shadow_f_pay")

    def test_the_suite_as_it_is_installed_here(self):
        self.assertEqual(addons.HERE.name, "paypercloud_servipay")
        self.assertEqual([addon for addon in shadowed() if addon.name in self.installed()], [])

    def installed(self):
        """Return the names of the installed addons."""
        return self.env["ir.module.module"].search([("state", "=", "installed")]).mapped("name")


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestTold(TransactionCase):
    RUNNING = Shadowed("mail", "/suite/mail", "/odoo/mail")  # a name that is installed
    OTHER = Shadowed("shadow_nowhere", "/suite/shadow_nowhere", "/odoo/shadow_nowhere")

    def setUp(self):
        super().setUp()
        told = patch.object(servipay_shadow, "_told", set())
        told.start()
        self.addCleanup(told.stop)

    @contextmanager
    def found(self, *addons_found):
        """Let these be shadowed."""
        with patch.object(servipay_shadow, "shadowed", lambda: list(addons_found)):
            yield self.env["servipay.shadow"]

    def test_one_line_a_process(self):
        with self.found(self.RUNNING, self.OTHER) as model, self.assertLogs(LOGGER, "WARNING") as caught:
            model._register_hook()
            model._register_hook()
        self.assertEqual(len(caught.output), 1, caught.output)
        for part in ("mail", "/odoo/mail", "/suite/mail", servipay_shadow.SECTION):
            self.assertIn(part, caught.output[0])
        self.assertNotIn("nowhere", caught.output[0])

    def test_nothing_is_said_of_what_is_not_installed(self):
        with self.found(self.OTHER) as model, self.assertNoLogs(LOGGER, "WARNING"):
            model._register_hook()

    def test_settings(self):
        with self.found(self.RUNNING, self.OTHER):
            # as the web client opens it
            settings = Form(self.env["res.config.settings"])
            self.assertIn("/odoo/mail", settings.servipay_shadowed)
            self.assertNotIn("nowhere", settings.servipay_shadowed)
            self.assertIn("/odoo/shadow_nowhere", settings.servipay_would_be_shadowed)
            self.assertIn("Installing shadow_nowhere", settings.servipay_would_be_shadowed)

    def test_settings_are_silent_otherwise(self):
        with self.found():
            settings = Form(self.env["res.config.settings"])
            self.assertFalse(settings.servipay_shadowed)
            self.assertFalse(settings.servipay_would_be_shadowed)
        arch = self.env.ref("paypercloud_servipay.res_config_settings_view_form").arch
        self.assertIn('invisible="not servipay_shadowed"', arch)

    def test_the_section_that_is_named_is_there(self):
        text = (addons.HERE / "readme" / "INSTALL.md").read_text()
        self.assertIn(f"## {servipay_shadow.SECTION}", text)
