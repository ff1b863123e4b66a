from . import controllers
from . import models
from . import wizards

from odoo.addons.payment import reset_payment_provider, setup_provider

from .ogone.methods import REQUESTS


def post_init_hook(env):
    """Give the provider its payment methods, and its method in accounting."""
    provider = env.ref("payment_ogone.payment_provider_ogone", raise_if_not_found=False)
    if provider and not provider.payment_method_ids:
        # which methods Odoo knows depends on the series
        methods = env["payment.method"].with_context(active_test=False)
        provider.payment_method_ids = methods.search(
            [("code", "in", list(REQUESTS)), ("is_primary", "=", True)]
        )
    setup_provider(env, "ogone")


def uninstall_hook(env):
    """Leave a provider without code behind, as core does."""
    reset_payment_provider(env, "ogone")
