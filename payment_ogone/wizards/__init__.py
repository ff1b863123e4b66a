from . import payment_ogone_recovery
