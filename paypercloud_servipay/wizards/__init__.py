from . import servipay_api_tester
from . import servipay_operation_refund
from . import servipay_operation_resolve
from . import servipay_profile_import
