from . import models


def uninstall_hook(env):
    """Leave no payment method behind that calls a terminal nobody drives any more."""
    env["pos.payment.method"]._servipay_retire("caisse_ap_ip")
