from . import pos_config
from . import pos_payment_method
from . import takeover
from . import servipay_sentence
from . import servipay_terminal
from . import servipay_operation
