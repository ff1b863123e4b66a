"""Every difference between 17.0, 18.0 and 19.0 that shared code cannot absorb."""

from odoo.release import version_info
from odoo.tools import config

SERIES = version_info[0]
# http.route(type=...): 'json' was renamed 'jsonrpc' in 19.0
JSONRPC = "jsonrpc" if SERIES >= 19 else "json"
# field attribute for the average of a column in graphs and pivots
AVERAGE = {"aggregator": "avg"} if SERIES >= 18 else {"group_operator": "avg"}
NO_SUM = {"aggregator": None} if SERIES >= 18 else {"group_operator": None}  # a number that is no measure


def config_path():
    """Return the path of the Odoo configuration file of this process."""
    return config["config"] if SERIES >= 19 else config.rcfile


def check_access(records, operation):
    """Raise AccessError when the user may not ``operation`` (read, write, ...) these records."""
    if SERIES >= 18:
        records.check_access(operation)
    else:
        records.check_access_rights(operation)
        records.check_access_rule(operation)


from . import addons  # noqa: E402
from . import groups  # noqa: E402  (models of this package need SERIES)
from . import payment  # noqa: E402
from . import views  # noqa: E402
