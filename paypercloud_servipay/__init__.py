from . import compat
from . import models
from . import wizards
