"""Last of all: where the secrets and card numbers of the whole run have got to. Nowhere, that is.

The logs are those of every ring that has run in this clone, not only of this one."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "paypercloud_servipay" / "tests"))

from masking_corpus import API_KEY as CORPUS_KEY  # noqa: E402  (its folder is on the path only now)

# what tells its own secrets on purpose, or is the output of a test that failed
SPEAKING = re.compile(r"simulator-.*|security-shop|demo-data.*|tills|unit|takeover|security|lint.*")
# of the demo and of the tests of the addons; those of this database come from its columns
KNOWN = {
    *("Sim-in.Page-2026!", "Sim-in.Direct-2026", "Sim-out.Back-2026", "Simulator-2026", "Simulator-Api-2026"),
    *(CORPUS_KEY, "sk-test-5f0e7b9a2c41", "Legacy-token-of-core-2026", "Ppps-2026x"),
    *("0123456789ABCDEF" * 8, "FEDCBA9876543210" * 8),
}
CARD_NAMES = re.compile(r"[45]\d{15}|3[47]\d{13}|67\d{15}")


def cards():
    """Return the whole card numbers that simulators and tests use."""
    files = [*ROOT.glob("*/tests/*.py"), *ROOT.glob("tests/**/*.py")]
    found = {number for path in files for number in CARD_NAMES.findall(path.read_text(errors="replace"))}
    return {number for number in found if right_check_digit(number)}


def right_check_digit(number):
    """Whether a number could be a card's."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


@pytest.fixture(scope="module")
def hidden(shop):
    """Every secret and card number that is known."""
    found = KNOWN | shop.secrets | cards()
    assert "4111111111111111" in found and len(cards()) >= 8 and len(found) > 25
    return found


def test_logs(suite, hidden):
    """No log of a server, whichever ring has written it."""
    logs = [path for path in suite.context.logs.glob("*.log") if not SPEAKING.fullmatch(path.stem)]
    assert suite.server.log in logs
    for path in logs:
        text = path.read_text(errors="replace")
        found = [value for value in hidden if value in text]
        assert not found, (path, found)


def test_database(suite, shop):
    """No table but those that keep secrets: no log, message, attachment, notification."""
    tables = suite.sql(
        "SELECT c.table_name, string_agg(quote_ident(c.column_name), ', ') FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name) WHERE table_schema = 'public'"
        " AND table_type = 'BASE TABLE' AND data_type IN ('text', 'character varying', 'jsonb', 'json')"
        " AND column_name NOT LIKE '%\\_sealed' AND column_name NOT LIKE 'viva_wallet_webhook%'"
        " GROUP BY c.table_name"
    )
    wanted = "|".join(re.escape(value) for value in sorted(shop.secrets))
    queries = [
        f"SELECT '{table}' AS place FROM (SELECT {columns} FROM {table}) AS row"
        f" WHERE row::text ~ $w${wanted}$w$"
        for table, columns in tables
    ]
    assert len(queries) > 200
    assert suite.sql("SELECT DISTINCT place FROM (" + " UNION ALL ".join(queries) + ") AS found") == []


def test_no_card_number_is_kept(suite):
    """Neither what was asked and answered nor what was pushed keeps a whole one."""
    wanted = "|".join(sorted(cards()))
    for table in ("servipay_api_log", "servipay_notification", "servipay_operation", "payment_transaction"):
        assert suite.sql(f"SELECT 1 FROM {table} LIMIT 1"), table
        assert suite.sql(f"SELECT id FROM {table} AS row WHERE row::text ~ '{wanted}'") == [], table
