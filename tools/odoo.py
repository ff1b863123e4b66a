"""Running Odoo's own commands on a database: its configuration file, command line and log."""

import contextlib
import secrets
import socket
from pathlib import Path

from . import odoo_log, processes
from .report import Problem

HOST = "127.0.0.1"


def free_port():
    """Return a TCP port of the loopback interface that nobody listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def port_is_free(port):
    """True when a server could listen on a port of the loopback interface."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_port(port):
    """Raise a Problem that proposes another one when a port is taken or is none."""
    if not 1 <= port <= 65535:
        raise Problem(f"{port} is no port: choose one between 1024 and 65535.")
    if not port_is_free(port):
        other = next(
            (number for number in range(port + 1, min(port + 100, 65536)) if port_is_free(number)), None
        )
        hint = f"--port {other} is free" if other else "choose another one with --port"
        raise Problem(f"Port {port} is in use: {hint}.")


def addons_path(context):
    """Return where addons are looked for: ours first, as some of our names are core's too in older series."""
    return ",".join([str(context.root), *context.source.addons_paths])


def write_configuration(context, database, name, http_port, gevent_port, **more):
    """Write the configuration file of a server or command and return its path.

    It may hold the password of --db-url, so only its owner can read it.
    """
    values = {
        **context.database.options,
        "addons_path": addons_path(context),
        "data_dir": context.data_dir,
        "db_name": database,
        "dbfilter": f"^{database}$",
        "list_db": False,
        "admin_passwd": secrets.token_urlsafe(16),
        "http_interface": HOST,
        "http_port": http_port,
        "gevent_port": gevent_port,
        "max_cron_threads": 0,
        "smtp_server": HOST,
        "smtp_port": 1,
        "screenshots": context.state / "screenshots",
        "geoip_city_db": "",
        "geoip_country_db": "",
        **more,
    }
    lines = [f"{key} = {value}" for key, value in values.items() if value not in ("", None)]
    path = context.state / f"{name}.conf"
    path.touch(mode=0o600)
    path.write_text("[options]\n" + "\n".join(lines) + "\n")
    return path


def core_addon(context, name):
    """Return the folder of an addon that Odoo itself ships, or None."""
    source = context.source
    folders = [*source.addons_paths, Path(source.python_path or source.path) / "odoo" / "addons"]
    found = [Path(folder) / name for folder in folders]
    return next((path for path in found if (path / "__manifest__.py").is_file()), None)


def command(context, *arguments, path=None):
    """Return the command line of Odoo: the series' Python, the source's own script, arguments.

    With a subcommand (`shell`) 17.0 and 18.0 look at Odoo's own addons before they read the configuration:
    an addon of core would be loaded instead of ours of the same name. path: the configuration's addons_path,
    where it is not the usual one.
    """
    if arguments and not str(arguments[0]).startswith("-") and context.series in ("17.0", "18.0"):
        arguments = (f"--addons-path={path or addons_path(context)}", *arguments)
    return [context.python, context.source.script, *arguments]


def environment(context, **more):
    """Return the environment of an Odoo process. Chromium is found by Odoo on the PATH."""
    python_path = {"PYTHONPATH": context.source.python_path} if context.source.python_path else {}
    return processes.clean_environment({**python_path, "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", **more})


def run(context, database, name, *arguments, step=None, script=None, subcommand=(), **configuration):
    """Run an Odoo command on a database to its end; returns (exit code, its log as text).

    script: a Python file fed to `odoo shell` (subcommand=["shell"]). The log is kept in <logs>/<name>.log.
    """
    config = write_configuration(context, database, name, free_port(), free_port(), **configuration)

    def watch(text):
        note = step and odoo_log.progress(text)
        if note:
            step.progress(note)

    log = context.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    path = configuration.get("addons_path")
    line = command(context, *subcommand, "-c", config, "-d", database, *arguments, path=path)
    return processes.run(
        line, context.state, log, name, environment(context), cwd=context.state, script=script, watch=watch
    )


def install(context, database, modules, name, step=None, **configuration):
    """Install modules (list) into a database; a Problem says what Odoo said when that fails."""
    flags = ["--without-demo=all"] if context.series != "19.0" else ["--skip-auto-install"]
    flags += ["-i", ",".join(modules), "--stop-after-init"]
    code, log = run(context, database, name, *flags, step=step, **configuration)
    bad = [record for record in odoo_log.records(log) if record.level in ("ERROR", "CRITICAL")]
    if code or bad:
        said = bad[0].text if bad else processes.last_words(log)
        raise Problem(
            f"Odoo could not install {', '.join(modules)}: {said[-1500:]}\n"
            f"The whole log is in {context.logs / (name + '.log')}."
        )
    return log


def shell(context, database, script, name, configuration=None, **variables):
    """Run a Python script in `odoo shell` on a database; variables become environment variables.

    configuration: values of the configuration file instead of the usual ones. The script sees `env` and
    commits by itself. Its last line must print "done" (a shell ends with 0 even when a script raised an error
    on some series).
    """
    values = configuration or {}
    config = write_configuration(context, database, name, free_port(), free_port(), **values)
    path = values.get("addons_path")
    line = command(context, "shell", "-c", config, "-d", database, "--no-http", path=path)
    log = context.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    surroundings = environment(context, **{key: str(value) for key, value in variables.items()})
    code, text = processes.run(
        line, context.state, log, name, surroundings, cwd=context.state, script=Path(script)
    )
    if code or "\ndone\n" not in f"\n{text}\n":
        raise Problem(
            f"{Path(script).name} failed in Odoo: {processes.last_words(text)} The whole log is in {log}."
        )
    return text
