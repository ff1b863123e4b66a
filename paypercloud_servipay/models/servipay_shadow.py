from odoo import _, models

from ..api.masking import get_logger
from ..compat.addons import shadowed

_logger = get_logger(__name__)
_told = set()  # (database, addon): what this process has written into its log

SECTION = "Names that Odoo uses too"  # of readme/INSTALL.md


class ServipayShadow(models.AbstractModel):
    """Odoo looks addons up by name and takes the first: of some names it has one of its own."""

    _name = "servipay.shadow"
    _description = "Addons that another one of the same name stands before"

    def _register_hook(self):
        """Write into the log, once, which addon is installed and is not the suite's."""
        super()._register_hook()
        for addon in self._split()[0]:
            if (key := (self.env.cr.dbname, addon.name)) not in _told:
                _told.add(key)
                _logger.warning(
                    "%s is not this suite's addon: Odoo has loaded another one of that name from %s, and not "
                    "the one in %s. Its payments run without the operations, API logs and checks of this "
                    "suite. What to do: README of paypercloud_servipay, %s.",
                    addon.name,
                    addon.loaded,
                    addon.folder,
                    SECTION,
                )

    def _split(self):
        """Return (installed, other) ``Shadowed`` addons."""
        found = shadowed()
        modules = self.env["ir.module.module"].sudo()
        domain = [
            ("name", "in", [addon.name for addon in found]),
            ("state", "in", ["installed", "to upgrade"]),
        ]
        names = modules.search(domain).mapped("name")
        running = [addon for addon in found if addon.name in names]
        return running, [addon for addon in found if addon not in running]

    def _sentences(self):
        """Return (sentences about what runs, sentences about what could be installed)."""
        running, others = self._split()
        return [self._running(addon) for addon in running], [self._other(addon) for addon in others]

    def _running(self, addon):
        return _(
            "%(name)s is not this suite's addon: Odoo has loaded another one of that name from %(loaded)s. "
            "Its payments run without the operations, API logs and checks of this suite. What to do is in "
            "the README of paypercloud_servipay, “%(section)s”.",
            name=addon.name,
            loaded=addon.loaded,
            section=SECTION,
        )

    def _other(self, addon):
        return _(
            "Installing %(name)s would install another addon of that name, from %(loaded)s, and not this "
            "suite's. What to do is in the README of paypercloud_servipay, “%(section)s”.",
            name=addon.name,
            loaded=addon.loaded,
            section=SECTION,
        )
