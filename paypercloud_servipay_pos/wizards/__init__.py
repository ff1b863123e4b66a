from . import servipay_operation_refund
