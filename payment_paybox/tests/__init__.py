from . import test_compat_payment
from . import test_provider
from . import test_page
from . import test_notifications
from . import test_booking
from . import test_direct
from . import test_access
