"""Who wants more than they may: those of the demo, and some with one group each."""

from tools.running import RpcError, User

# log-in: groups; the demo's own people are cashier, accountant, manager, portal and admin
MADE = {
    "pos_manager": ["base.group_user", "point_of_sale.group_pos_manager"],
    "bookkeeper": ["base.group_user", "account.group_account_manager"],
    "payments_user": ["paypercloud_servipay.group_user"],
    "payments_manager": ["paypercloud_servipay.group_manager"],
    # everything but the administration of the system, and the right to export
    "exporter": [
        "base.group_allow_export",
        "point_of_sale.group_pos_manager",
        "account.group_account_manager",
        "paypercloud_servipay.group_manager",
    ],
    # the same in the other company
    "stranger": [
        "base.group_allow_export",
        "point_of_sale.group_pos_manager",
        "account.group_account_manager",
        "paypercloud_servipay.group_manager",
    ],
    "foreign_cashier": ["base.group_user", "point_of_sale.group_pos_user"],
}
PUBLIC = "public"
ACCESS = "odoo.exceptions.AccessError"


class Nobody(User):
    """A visitor without a session of a user."""

    def __init__(self, suite):
        super().__init__(suite.url, suite.database, "portal")
        self.cookies.clear()


class People:
    """The people by log-in, logged in once: people["cashier"]."""

    def __init__(self, suite):
        self.suite, self.nobody = suite, Nobody(suite)

    def __getitem__(self, login):
        return self.nobody if login == PUBLIC else self.suite.user(login)


def outcome(user, model, method, *arguments, **keywords):
    """Return (result, None) of a call, or (None, name of what it raised)."""
    try:
        return user.call(model, method, *arguments, **keywords), None
    except RpcError as error:
        return None, error.name
