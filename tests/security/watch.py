"""What must not change while somebody tries: the money in the database, and what the server says of it."""

import re
import time

TABLES = {
    "servipay_operation": "id, state, amount, approved_amount, external_ref, contradicted, cancel_wished",
    "servipay_operation_total": "id, amount, count",
    "servipay_terminal": "id, name, pid, active",
    "payment_transaction": "id, state, amount, provider_reference",
    "account_payment": "id, amount, move_id",  # its state is the move's in 17.0
    "account_move": "id, state, payment_state, amount_residual",
    "pos_payment": "id, amount, servipay_operation_id",
    "pos_session": "id, state",
    "servipay_api_profile": "id, write_date",
    "payment_token": "id, active",
}
# what is verified counts; what was refused is kept for a look and may grow
INBOX = "SELECT count(*), md5(string_agg(dedupe_key || state, ',' ORDER BY id)) FROM servipay_notification"
# of a model m; only 19.0 notes which models are abstract
HAS_TABLE = (
    "EXISTS (SELECT FROM information_schema.tables WHERE table_name::text = replace(m.model, '.', '_'))"
)
FINALIZER = re.compile(r"Exception ignored in: <finalize .*?RecursionError: [^\n]*\n", re.DOTALL)
BAD = (" ERROR ", " CRITICAL ", "Traceback (most recent")


def money(suite):
    """Return what stands in the database about money, as something to compare."""
    sums = [
        f"SELECT '{table}', count(*)::text, md5(string_agg(row::text, ',' ORDER BY row))"
        f" FROM (SELECT {columns} FROM {table}) AS row"
        for table, columns in TABLES.items()
    ]
    return suite.sql(" UNION ALL ".join(sums)), suite.sql(f"{INBOX} WHERE verified")


def settle(suite):
    """Wait until what was begun is over: the same for three seconds, a slow machine's longest step."""
    for _time in range(10):
        before = money(suite)
        time.sleep(3)
        if money(suite) == before:
            return
    raise AssertionError("it does not come to rest")


class Log:
    """The server's log from here on."""

    def __init__(self, suite):
        self.path = suite.server.log
        self.start = self.path.stat().st_size

    def text(self):
        """Return what was written since."""
        with open(self.path, "rb") as stream:
            stream.seek(self.start)
            return stream.read().decode(errors="replace")

    def complaints(self):
        """Return the lines that tell of an error.

        A finalizer that Python runs while it reads text that is nested too deep finds no stack left, and says
        so: that text is refused all the same."""
        text = FINALIZER.sub("", self.text())
        return [line for line in text.splitlines() if any(word in line for word in BAD)]
