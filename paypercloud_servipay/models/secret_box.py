"""Encryption at rest of secrets, when a key stands in the Odoo configuration file.

In ``odoo.conf``::

    [servipay]
    secret_keys = <new key>,<old key>

Keys are Fernet keys (``python3 -c "from cryptography.fernet import Fernet;
print(Fernet.generate_key().decode())"``). The first one seals, all of them open, so a key is replaced by
putting the new one in front and pressing *Encrypt stored secrets* in the settings. In a container the
environment variable ``SERVIPAY_SECRET_KEYS`` does the same. Without keys secrets are stored as they are."""

import configparser
import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from odoo import _, models
from odoo.exceptions import UserError

from ..compat import config_path

PREFIX = "fernet:v1:"


class ServipaySecretBox(models.AbstractModel):
    _name = "servipay.secret.box"
    _description = "Encryption of stored secrets"

    def _has_keys(self):
        """Tell whether secrets are encrypted at rest on this server."""
        return bool(self._keys())

    def _seal(self, secret):
        """Return what to store for ``secret`` (text; False and "" give False)."""
        if not secret:
            return False
        return PREFIX + self._box().encrypt(secret.encode()).decode() if self._has_keys() else secret

    def _unseal(self, stored):
        """Return the secret that :meth:`_seal` was given, "" for none.

        UserError when no configured key opens it.
        """
        if not stored or not stored.startswith(PREFIX):
            return stored or ""
        try:
            return self._box().decrypt(stored[len(PREFIX) :].encode()).decode()
        except InvalidToken as error:
            raise UserError(
                _(
                    "A stored secret is encrypted with a key that this server does not have. Put the key "
                    "back into "
                    "secret_keys in section [servipay] of the Odoo configuration file, or enter the secret "
                    "again. "
                    "Until then nothing is sent."
                )
            ) from error

    def _box(self):
        try:
            return MultiFernet([Fernet(key) for key in self._keys()] or [Fernet(Fernet.generate_key())])
        except ValueError as error:
            raise UserError(
                _(
                    "The option secret_keys in section [servipay] of the Odoo configuration file is not a "
                    "list of "
                    "Fernet keys. No payment request can be made until an administrator corrects it."
                )
            ) from error

    def _keys(self):
        parser = configparser.RawConfigParser()
        parser.read([config_path() or ""])
        text = os.environ.get("SERVIPAY_SECRET_KEYS") or parser.get("servipay", "secret_keys", fallback="")
        return [key.strip() for key in text.split(",") if key.strip()]
