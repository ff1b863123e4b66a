from . import account_move
from . import account_payment
from . import payment_provider
from . import payment_provider_recovery
from . import payment_transaction
from . import servipay_notification
from . import servipay_operation
from . import servipay_operation_words
