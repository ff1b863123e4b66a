from . import models
from . import wizards
from . import controllers


def uninstall_hook(env):
    """Leave no payment method behind that calls a terminal nobody drives any more."""
    env["pos.payment.method"]._servipay_retire("viva_wallet")
