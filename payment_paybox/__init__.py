from . import controllers
from . import models

from odoo.addons.payment import reset_payment_provider, setup_provider


def post_init_hook(env):
    """Give the provider its payment method in accounting."""
    setup_provider(env, "paybox")


def uninstall_hook(env):
    """Leave a provider without code behind, as core does."""
    reset_payment_provider(env, "paybox")
