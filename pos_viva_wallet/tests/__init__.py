from . import test_viva
