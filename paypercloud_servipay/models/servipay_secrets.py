"""Secrets of a record that can be replaced and never read: three fields each, and what they have in common.

In a model that inherits ``servipay.secrets``::

    api_key = secret("API key", help="...")
    api_key_sealed = sealed()
    api_key_set = is_set()

    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), "api_key")
"""

from odoo import api, fields, models
from odoo.fields import NO_ACCESS


def secret(label, **options):
    """Return the field that a person types a secret into: write only, it never goes back to a browser."""
    options = {"groups": "base.group_system", **options}
    return fields.Char(
        label, compute="_compute_servipay_secrets", inverse="_inverse_servipay_secrets", **options
    )


def sealed():
    """Return the field that stores a secret: unreadable by RPC for everybody, administrators included."""
    return fields.Char(groups=NO_ACCESS, copy=False)


def is_set(label=None, **options):
    """Return the field that tells whether there is a secret."""
    return fields.Boolean(label, compute="_compute_servipay_secrets_set", compute_sudo=True, **options)


class ServipaySecrets(models.AbstractModel):
    _name = "servipay.secrets"
    _description = "Secrets that are never read"

    @api.model
    def _servipay_secrets(self):
        """Return the names of the secrets; each addon adds its own."""
        return ()

    def _servipay_check_secret(self, name, value):
        """Return what to store of a secret that was typed; ValidationError when it cannot be one."""
        return value

    def _servipay_secret(self, name):
        """Return a secret in clear, "" when there is none; never for a browser."""
        return self.env["servipay.secret.box"]._unseal(self.sudo()[f"{name}_sealed"])

    def _compute_servipay_secrets(self):
        for name in self._servipay_secrets():
            self[name] = False

    def _inverse_servipay_secrets(self):
        box = self.env["servipay.secret.box"]
        for record in self:
            for name in record._servipay_secrets():
                if record[name]:
                    value = record._servipay_check_secret(name, record[name].strip())
                    record.sudo()[f"{name}_sealed"] = box._seal(value)
        # what was typed is still in the cache, and the web client reads what it has saved in the same call
        self.invalidate_recordset(self._servipay_secrets(), flush=False)

    @api.depends(lambda self: [f"{name}_sealed" for name in self._servipay_secrets()])
    def _compute_servipay_secrets_set(self):
        for record in self:
            for name in record._servipay_secrets():
                record[f"{name}_set"] = bool(record[f"{name}_sealed"])

    def write(self, vals):
        """Store secrets first: what is written with them may need them to be there."""
        secrets = {name: vals[name] for name in self._servipay_secrets() if name in vals}
        if secrets and len(secrets) < len(vals):
            super().write(secrets)
            vals = {name: value for name, value in vals.items() if name not in secrets}
        return super().write(vals)

    def _servipay_seal_again(self):
        """Encrypt the secrets of these records with the first key of the configuration file."""
        box = self.env["servipay.secret.box"]
        for name in self._servipay_secrets():
            for record in self.sudo().filtered(f"{name}_sealed"):
                record[f"{name}_sealed"] = box._seal(box._unseal(record[f"{name}_sealed"]))
