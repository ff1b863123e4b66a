from . import pos_payment_method
from . import servipay_terminal
from . import servipay_operation
from . import servipay_operation_words
from . import servipay_notification
from . import takeover
