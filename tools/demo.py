"""The demo: Odoo with the suite, its simulators and the data of a small French shop."""

import json
import signal
import subprocess
import threading
from pathlib import Path

from . import database, odoo, processes, servers, template
from .report import Problem, say, step

PORT = 8069
NAME = "demo"
SCRIPT = Path(__file__).with_name("demo_data.py")


def database_name(context):
    """Return the name of this clone's demo database of the series."""
    return f"{database.PREFIX}{context.name}_{NAME}{context.series.replace('.0', '')}"


def existing(context):
    """Return the name of the demo database; a Problem when there is none yet."""
    name = database_name(context)
    if name not in context.database.notes():
        raise Problem("There is no demo database yet: run ./dev demo first.")
    return name


def run(context, port, detach, fresh):
    """Run the demo until Ctrl-C, or leave it running; returns the exit code."""
    _refuse_second(context)
    odoo.require_port(port)
    started = []
    try:
        name = _database(context, fresh)
        simulators = start_simulators(context, started, context.database.notes()[name].get("simulators"))
        _fill_once(context, name, simulators)
        lease = context.database.lease()
        server = servers.OdooServer(context, name, NAME, port, cron_threads=1, list_db=False)
        with step("starting Odoo"):
            server.start(keep=lease.descriptors)
        started.append(server)
        lease.close()
        _tell(context, server, started, detach)
        if not detach:
            _wait(server)
    except BaseException:
        _stop(started)
        raise
    return 0


def _refuse_second(context):
    for pid_file in processes.pid_files(context.state):
        if pid_file.path.name.startswith(f"{NAME}-") and pid_file.pid:
            raise Problem("The demo of this clone runs already: end it with ./dev stop.")


def _database(context, fresh):
    """Return the name of the demo database, made anew when the addons or Odoo have changed."""
    name, source = database_name(context), template.suite(context)
    noted = context.database.notes().get(name)
    if fresh or noted is None or noted.get("template") != source:
        if noted and not fresh:
            say("  the addons or Odoo have changed: the demo database is made anew")
        context.clone(source, database_name(context).partition(f"{context.name}_")[2], owned=False)
        context.database.note(name, {"template": source})
    return name


def start_simulators(context, started, known=None, arguments=None, suffix=""):
    """Start the simulators of all addons; returns {addon: facts}.

    started: list that the Simulators are put into. known: facts of an earlier run, whose ports and keys are
    taken again where that is possible. arguments: {addon: more words of its command line}.
    """
    for addon in servers.simulated(context):
        facts = (known or {}).get(addon) or {}
        port = facts.get("port")
        words = (arguments or {}).get(addon, ())
        simulator = servers.Simulator(
            context, addon, port if port and odoo.port_is_free(port) else None, words, suffix
        )
        simulator.api_key = facts.get("api_key") or simulator.api_key
        with step(f"starting the simulator of {addon}"):
            started.append(simulator.start())
    return {simulator.addon: simulator.facts for simulator in started}


def _fill_once(context, name, simulators):
    facts = context.database.notes()[name]
    if facts.get("simulators") != simulators:
        fill(context, name, simulators)
        context.database.note(name, {**facts, "simulators": simulators})


def fill(context, database, simulators, name="demo-data"):
    """Put the demo data into a database and point the addons at their simulators (may be repeated).

    name: of the log, where several databases are filled at once.
    """
    with step("filling in demo data"):
        odoo.shell(context, database, SCRIPT, name, SERVIPAY_SIMULATORS=json.dumps(simulators))


def _tell(context, server, started, detach):
    say()
    say(
        f"Odoo {context.series} runs at  {server.url}/odoo"
        if context.series != "17.0"
        else f"Odoo {context.series} runs at  {server.url}/web"
    )
    say("Log in (the password is the name):")
    for login, who in (
        ("admin", "administrator, in English"),
        ("manager", "shop manager, in French"),
        ("cashier", "cashier, in French"),
        ("accountant", "accountant, in French"),
        ("portal", "customer with an open invoice, in French"),
    ):
        say(f"  {login:<11} {who}")
    for simulator in (each for each in started if isinstance(each, servers.Simulator)):
        say(f"Simulator of {simulator.addon}: {simulator.where}")
    say("What to try:")
    for line in _suggestions(context):
        say(f"  * {line}")
    say("End it with ./dev stop; ./dev logs -f shows its log." if detach else "End it with Ctrl-C.")


def _suggestions(context):
    tries = []
    if "paypercloud_servipay" in context.addons():
        tries.append(
            "PayperCloud / Servipay > API Tester: a purchase, then open its operation and log, refund half"
        )
        tries.append(
            "a purchase of 900.01 EUR is declined; ./dev logs simulator-paypercloud_servipay lists more"
        )
    if "paypercloud_servipay_pos" in context.addons():
        tries.append("as cashier: Point of Sale > Comptoir, sell a cake, pay with one of the cards")
        tries.append(
            "as manager, in another browser, pay with the same card meanwhile; reload in the middle; cancel"
        )
    if "payment_paybox" in context.addons():
        tries.append("log in as portal: open the invoice, pay it with Paybox on the simulator's page")
    else:
        tries.append("log in as portal: open the invoice and look at how it can be paid")
    return tries


def _wait(server):
    over = threading.Event()
    while server.process.running:
        over.wait(0.5)
    raise Problem(
        f"Odoo ended by itself: {processes.last_words(server.process.output())} Its log is {server.log}."
    )


def _stop(started):
    """Stop servers in the opposite order; a second Ctrl-C must not leave anything behind."""
    handlers = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        for server in reversed(started):
            server.stop()
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)


def shell(context, arguments):
    """Open Odoo's Python shell on the demo database."""
    config = odoo.write_configuration(context, existing(context), "shell", odoo.free_port(), odoo.free_port())
    command = odoo.command(context, "shell", "-c", config, "--no-http", "-d", existing(context), *arguments)
    return subprocess.call([str(part) for part in command], env=odoo.environment(context))
