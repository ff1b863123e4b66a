from . import test_access
from . import test_decision
from . import test_directlink
from . import test_feedback
from . import test_page
from . import test_provider
from . import test_recovery
from . import test_token
