from . import test_caisse_ap
