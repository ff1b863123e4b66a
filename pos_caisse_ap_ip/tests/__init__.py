from . import test_caisse_ap, test_takeover
