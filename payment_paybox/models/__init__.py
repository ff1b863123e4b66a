from . import account_move
from . import payment_provider
from . import payment_transaction
from . import servipay_notification
from . import servipay_operation
from . import servipay_operation_words
