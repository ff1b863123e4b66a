from . import viva_wallet_devices
