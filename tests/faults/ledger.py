"""Odoo's database as an onlooker sees it: what stands in it, locks that somebody holds, an outage."""

import contextlib
import threading
import time

import psycopg2

PATIENCE = 90  # seconds that a database may be away
AWAY = psycopg2.OperationalError, psycopg2.InterfaceError
UNSETTLED = ("sent", "pending", "cancelling", "unknown")
# what a clock that jumps makes wrong: every time by which something is decided
TIMES = {
    "servipay_operation": (
        *("create_date", "write_date", "sent_at", "deadline_at", "settled_at", "next_inquiry_at"),
    ),
    "servipay_notification": ("create_date", "write_date", "next_attempt_at", "processed_at"),
    "payment_transaction": ("create_date", "write_date", "last_state_change"),
}


class Ledger:
    """Queries on a suite's database. Thread-safe; a connection that was cut is made anew."""

    def __init__(self, suite):
        options, self.name = suite.context.database.options, suite.database
        keys = {"host": "db_host", "port": "db_port", "user": "db_user", "password": "db_password"}
        self._options = {key: options[name] for key, name in keys.items() if options.get(name)}
        self._lock, self._connection = threading.Lock(), None

    def connect(self, database=None):
        """Return a new connection to the suite's database, or another one."""
        return psycopg2.connect(dbname=database or self.name, **self._options)

    def rows(self, query, *values):
        """Run a query, each in a transaction of its own, and return its rows."""
        end = time.monotonic() + PATIENCE
        with self._lock:
            while True:
                try:
                    return self._once(query, values)
                except AWAY:
                    self.close()
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.1)

    def _once(self, query, values):
        if self._connection is None:
            self._connection = self.connect()
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def close(self):
        """Hang up."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None

    # -- somebody else's lock

    @contextlib.contextmanager
    def held(self, *statements):
        """Hold the locks that statements [(query, values)] take, for the time of a block."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for query, values in statements:
                    cursor.execute(query, values)
            yield
        finally:
            connection.close()

    def waiting(self):
        """Return how many of Odoo's connections wait for a lock."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        return self.rows(query, self.name)[0][0]

    # -- an outage

    @contextlib.contextmanager
    def away(self):
        """Be away as a server that restarts: connections are cut, none is taken, for the time of a block.

        The cluster is shared with other runs of this user, so this database alone is shut.
        """
        self.close()
        connection = self.connect("postgres")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS false')
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name]
                )
                try:
                    yield
                finally:
                    cursor.execute(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS true')
        finally:
            connection.close()

    # -- the clock

    def shift(self, hours):
        """Set Odoo's clock forward by hours (back when negative): all that was noted is so much older."""
        for table, names in TIMES.items():
            known = {
                name
                for (name,) in self.rows(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = %s", table
                )
            }
            moved = [f"{name} = {name} - %s * interval '1 hour'" for name in names if name in known]
            self.rows(f"UPDATE {table} SET {', '.join(moved)}", *[hours] * len(moved))

    def make_due(self, numbers, hours=0):
        """Let deadlines and waiting times of unsettled operations be over; sent so many hours earlier."""
        if numbers:
            self.rows(
                "UPDATE servipay_operation SET deadline_at = now() at time zone 'utc' - interval '1 second',"
                " next_inquiry_at = now() at time zone 'utc' - interval '1 second',"
                " sent_at = sent_at - %s * interval '1 hour'"
                " WHERE id IN %s AND state IN %s",
                hours,
                tuple(numbers),
                UNSETTLED,
            )
        self.rows(
            "UPDATE servipay_notification SET"
            " next_attempt_at = now() at time zone 'utc' - interval '1 second'"
            " WHERE state IN ('received', 'failed')"
        )

    def age_requests(self, hours=3):
        """Let what was asked for online and never sent be older."""
        self.rows(
            "UPDATE payment_transaction SET create_date = create_date - %s * interval '1 hour'"
            " WHERE state = 'draft'",
            hours,
        )
