from . import test_abort
from . import test_afterwards
from . import test_payments
from . import test_refunds
from . import test_uncertain
from . import test_webhooks
