"""The shop of the matrix: a till and a terminal, or a provider's record, for each place, wires between."""

import contextlib
import random
import time
import urllib.parse
import urllib.request

from ledger import UNSETTLED, Ledger
from slots import FAILURES
from slots_online import Form, Ogone, Paybox
from slots_pos import CaisseAp, PayperCloud, Viva
from wire import Wire

from tools import odoo, shopfloor
from tools.running import User

POS = {  # payment_terminal: its operations, in the table's order
    CaisseAp: ("sale", "refund", "cancel", "inquiry"),
    PayperCloud: ("sale", "refund", "cancel", "inquiry"),
    Viva: ("sale", "refund", "cancel", "inquiry", "notification"),
}
ONLINE = {
    Paybox: ("sale", "refund", "cancel", "inquiry", "notification"),
    Ogone: ("sale", "refund", "cancel", "inquiry", "notification"),
}
FIRST_VIVA = 16000010
JOBS = (("paypercloud_servipay", "cron_settle"), ("paypercloud_servipay", "cron_notifications"))
HOURLY = (("payment_paybox", "cron_pending"), ("payment_ogone", "cron_pending"))
MOST_SETTLING = 5  # rounds of jobs until nothing changes
AGED = 1  # rounds after which everything is old
PAYPERCLOUD_SECONDS = 4  # that it may take to answer: its default of 30 would make every silence as long
VIVA = {  # what its simulator lets in
    "merchant_id": "bdf4c6b3-c26d-4046-b5df-5c443ec39d09",
    "api_key": "Simulator-Api-2026",
    "client_id": "simulator-pos-apis.viva.example",
    "client_secret": "Simulator-2026",
}
PAYBOX = {
    "paybox_brand": "custom",
    "paybox_site": "1999888",
    "paybox_rank": "32",
    "paybox_identifier": "110647233",
    "paybox_key_test": "0123456789ABCDEF" * 8,
    "paybox_email": "bonjour@example.com",
}
OGONE = {
    "ogone_brand": "custom",
    "ogone_pspid": "servipay",
    "ogone_userid": "servipay-api",
    "ogone_password": "Simulator-2026",
    "ogone_shakey_in": "Sim-in.Page-2026!",
    "ogone_shakey_in_directlink": "Sim-in.Direct-2026",
    "ogone_shakey_out": "Sim-out.Back-2026",
    "allow_tokenization": True,
}


def simulator_arguments():
    """Return RunningSuite's simulator_arguments: a terminal for each place."""
    viva = [word for number in range(len(POS[Viva])) for word in ("--terminal", str(FIRST_VIVA + number))]
    pids = [word for number in range(len(POS[PayperCloud])) for word in ("--terminal", pid(number))]
    return {
        **shopfloor.terminals(len(POS[CaisseAp])),
        "paypercloud_servipay": [*pids, "--default-delay", "0.5"],
        "pos_viva_wallet": [*viva, "--delay", "0.3"],
    }


def pid(number):
    """Return the name of a PayperCloud terminal."""
    return f"TERM{number:02d}"


class Shop:
    """Everything that the slots share. slots: one for each place of the table; wires: all of them."""

    def __init__(self, suite):
        self.suite, self.ledger = suite, Ledger(suite)
        self.admin, self.manager = suite.user("admin"), suite.user("manager")
        self.portal = User(suite.url, suite.database, "portal")
        self.hall = shopfloor.Hall(suite.simulator("pos_caisse_ap_ip"))
        self.paypercloud = shopfloor.Platform(suite, "paypercloud_servipay")
        self.viva, self.paybox = (
            shopfloor.Platform(suite, "pos_viva_wallet"),
            shopfloor.Platform(suite, "payment_paybox"),
        )
        self.ogone = shopfloor.Platform(suite, "payment_ogone")
        self.wires, self.memories, self.slots = [], {}, []
        self.warm = set()  # slots that were played without a fault: their wires remember that

    def open(self):
        """Make everything; returns itself."""
        self.hook = self._wire((self.suite.front or self.suite.server).port, "hook", "request")
        self._lead_to(self.hook.port)
        self._open_tills()
        self._open_online()
        for slot in self.slots:
            slot.hook = self.hook
        return self

    def close(self):
        """End the wires."""
        for wire in self.wires:
            wire.close()
        self.ledger.close()

    def _wire(self, target, memory, spoils="answer"):
        wire = Wire(target, spoils, self.memories.setdefault(memory, {}))
        self.wires.append(wire)
        return wire

    def _lead_to(self, port):
        """Let every address that Odoo tells a provider lead to a port, whoever logs in."""
        parameters = (("web.base.url", f"http://{odoo.HOST}:{port}"), ("web.base.url.freeze", "True"))
        for name, value in parameters:
            self.admin.call("ir.config_parameter", "set_param", name, value)

    def go_to(self, url):
        """Let everybody's next requests go to an address of the same Odoo, with the sessions they have."""
        for user in {self.admin, self.manager, self.portal, *self._staff()}:
            user.url = url

    def _staff(self):
        return {slot.till.user for slot in self.slots if hasattr(slot, "till")}

    # -- at the till

    def _open_tills(self):
        slots = [(kind, operation) for kind, names in POS.items() for operation in names]
        methods, ends = [], []
        for kind, operation in slots:
            number = POS[kind].index(operation)
            wire, terminal, values = getattr(self, f"_{kind.__name__.lower()}")(number)
            methods.append(values)
            ends.append((wire, terminal))
        tills = shopfloor.staffed(self.suite, methods)
        for (kind, operation), (wire, terminal), till in zip(slots, ends, tills, strict=True):
            slot = kind(self, operation, till, terminal)
            slot.wire = wire
            self.slots.append(slot)
        self._register_viva(next(slot.till for slot in self.slots if isinstance(slot, Viva)))

    def _caisseap(self, number):
        wire = self._wire(self.hall.ports[number], "caisse_ap")
        own = {"caisse_ap_host": odoo.HOST, "caisse_ap_port": wire.port}
        return wire, number + 1, {**shopfloor.METHOD, **own}

    def _paypercloud(self, number):
        if number == 0:
            self.shared = self._wire(self.suite.simulators["paypercloud_servipay"]["port"], "paypercloud")
            values = {
                "servipay_base_url": f"http://{odoo.HOST}:{self.shared.port}",
                "servipay_timeout": PAYPERCLOUD_SECONDS,
            }
            self.admin.call("res.company", "write", [1], values)
        values = {"use_payment_terminal": "paypercloud", "servipay_terminal_pid": pid(number)}
        return self.shared, pid(number), values

    def _viva(self, number):
        wire = self._wire(self.suite.simulators["pos_viva_wallet"]["port"], "viva")
        terminal = str(FIRST_VIVA + number)
        return (
            wire,
            terminal,
            {
                "use_payment_terminal": "viva_wallet",
                "viva_wallet_terminal_id": terminal,
                "viva_wallet_test_mode": True,
                "viva_wallet_base_url": f"http://{odoo.HOST}:{wire.port}",
                **{f"viva_wallet_{name}": value for name, value in VIVA.items()},
            },
        )

    def _register_viva(self, till):
        """A merchant has one address, whatever terminal a message is about."""
        field = "viva_wallet_webhook_endpoint"
        [method] = self.admin.call("pos.payment.method", "read", [till.method_id], [field])
        self.viva.call("register", url=method[field], events=[1796, 1797, 1798])

    # -- online

    def _open_online(self):
        codes = ("card",)
        found = {code: self.admin.call("payment.method", "search", [("code", "=", code)]) for code in codes}
        self.methods = {code: numbers[0] for code, numbers in found.items()}
        self.partner = self.admin.call(
            "res.users", "search_read", [("login", "=", "portal")], ["partner_id"]
        )[0]["partner_id"][0]
        for kind, names in ONLINE.items():
            for operation in names:
                self.slots.append(self._online_slot(kind, operation))
        address = f"http://{odoo.HOST}:{self.hook.port}/payment/ogone/return"
        self.ogone.call(
            "configure", accepted_url=address, declined_url=address, status_url=address, feedback="online"
        )
        self._keep_card()

    def _online_slot(self, kind, operation):
        addon = f"payment_{kind.code}"
        wire = self._wire(self.suite.simulators[addon]["port"], kind.code)
        own = PAYBOX if kind is Paybox else OGONE
        address = f"http://{odoo.HOST}:{wire.port}"
        names = ("paybox_host", "paybox_direct_host") if kind is Paybox else ("ogone_base_url",)
        values = {**own, **dict.fromkeys(names, address), "capture_manually": operation == "cancel"}
        if kind is Paybox:
            values["paybox_public_keys"] = self._paybox_key()
        slot = kind(self, operation, self._provider(kind.code, operation, values))
        slot.wire = wire
        return slot

    def _paybox_key(self):
        with urllib.request.urlopen(f"{self.paybox.address}/key.pem", timeout=10) as answer:
            return answer.read().decode()

    def _provider(self, code, operation, values):
        """Return the id of a provider's record of its own, so that its address can be a wire of its own."""
        domain = [("code", "=", code), ("state", "!=", "disabled")]
        look = {"limit": 1, "order": "id"}
        [first] = self.admin.call("payment.provider", "search_read", domain, ["journal_id"], **look)
        copy = self.admin.call("payment.provider", "copy", [first["id"]])
        number = copy[0] if isinstance(copy, list) else copy
        values = {
            **values,
            "name": f"{code} {operation}",
            "servipay_allow_private": True,
            "state": "test",
            "is_published": True,
            "payment_method_ids": [(6, 0, list(self.methods.values()))],
        }
        self.admin.call("payment.provider", "write", [number], values)
        if first["journal_id"]:
            self.admin.call("payment.provider", "write", [number], {"journal_id": first["journal_id"][0]})
        return number

    def _keep_card(self):
        """Have the customer's card kept by Ogone once; every provider's record gets a token for it."""
        slots = {slot.operation: slot for slot in self.slots if isinstance(slot, Ogone)}
        payer = slots["sale"]
        payer.begin(random.Random(0))
        answer = payer.order(tokenization_requested=True)
        payer.fields = Form(answer["redirect_form_html"]).fields
        payer.pay(consent="1")
        query = "SELECT provider_ref, payment_details FROM payment_token WHERE provider_id = %s"
        end = time.monotonic() + 60
        while not (kept := self.ledger.rows(query, payer.provider_id)):
            payer.come_back()
            assert time.monotonic() < end, "no card was kept"
            time.sleep(0.2)
        values = {"partner_id": self.partner, "payment_method_id": self.methods["card"]}
        values |= {"provider_ref": kept[0][0], "payment_details": kept[0][1]}
        self.tokens = {
            name: self.admin.call("payment.token", "create", [{**values, "provider_id": slot.provider_id}])[0]
            for name, slot in slots.items()
        }

    def invoice(self, amount):
        """Return (id, access token) of a new posted invoice of the portal's customer."""
        values = {
            "move_type": "out_invoice",
            "partner_id": self.partner,
            "invoice_date": "2026-01-15",
            "invoice_line_ids": [(0, 0, {"name": "Buffet", "price_unit": amount, "tax_ids": [(5, 0, 0)]})],
        }
        number = self.admin.call("account.move", "create", [values])[0]
        self.admin.call("account.move", "action_post", [number])
        address = self.admin.call("account.move", "get_portal_url", [number])
        return number, urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["access_token"][0]

    # -- what is known

    def operation(self, number):
        """Return an operation's columns as a dict."""
        return self.ledger.rows("SELECT to_jsonb(o) FROM servipay_operation o WHERE id = %s", number)[0][0]

    # -- the scheduled jobs

    def new_customers(self):
        """Forget what customers at terminals were told to do and did not come to do."""
        self.hall.call("reset")
        self.viva.call("reset")

    def run_jobs(self, jobs=JOBS):
        """Run the jobs that may settle something, once, as the administrator does."""
        query = "SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND module = %s AND name = %s"
        for job in jobs:
            self.admin.call("ir.cron", "method_direct_trigger", [self.ledger.rows(query, *job)[0][0]])

    def settle(self, slots):
        """Let time pass and jobs run until nothing changes any more."""
        before = None
        for number in range(MOST_SETTLING):
            rows = [slot.row() for slot in slots]
            known = [(row.get("id"), row.get("state"), row.get("reason")) for row in rows]
            if known == before and number > AGED:
                return
            before = known
            old = number >= AGED
            self.ledger.make_due([row["id"] for row in rows if row], hours=3 if old else 0)
            if old:
                self.ledger.age_requests()
            self.run_jobs((*JOBS, *HOURLY) if old else JOBS)

    def tidy_up(self, slots):
        """Let a manager decide what is on the list, by the provider's books, so that terminals are free."""
        for slot in slots:
            row = slot.row()
            if row and (row["state"] == "unknown" or row["contradicted"]):
                outcome = "approved" if slot.moved(row) else "failed"
                if row["state"] == outcome == "failed" or row["state"] == outcome:
                    continue
                values = {"operation_id": row["id"], "outcome": outcome, "reason": "The books say so"}
                with contextlib.suppress(*FAILURES):
                    number = self.manager.call("servipay.operation.resolve", "create", [values])
                    self.manager.call("servipay.operation.resolve", "action_confirm", number)
        numbers = tuple(row["id"] for row in (slot.row() for slot in slots) if row)
        if numbers:
            self.ledger.rows(
                "UPDATE servipay_operation SET next_inquiry_at = NULL WHERE id IN %s AND state IN %s",
                numbers,
                UNSETTLED,
            )
