"""What a person sees: one line per step with its time, and problems as one sentence."""

import contextlib
import sys
import threading
import time

QUIET_SECONDS = 3  # a step that is over sooner is announced only once it is done
HEARTBEAT_SECONDS = 30  # how often a long step says that it is alive where nobody watches a terminal


class Problem(Exception):
    """Something a person can act on. Its text is one clear sentence, shown without a traceback."""


def say(text=""):
    """Print one line at once (a pipe would keep it back otherwise)."""
    print(text, flush=True)


def duration(seconds):
    """Return seconds as people read them: "0.4 s", "12 s", "2 min 05 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


class Step:
    """One running step: prints a heartbeat from a thread until it is finished."""

    def __init__(self, text, stream=None):
        self.text = text
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.note = ""
        self.started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def progress(self, note):
        """Remember what the step is doing right now; the next heartbeat shows it."""
        self.note = note

    def finish(self, ending=""):
        """Print the step's line with its duration."""
        self._over.set()
        self._thread.join()
        took = duration(time.monotonic() - self.started)
        self._write(f"  {self.text}: {ending + ', ' if ending else ''}{took}", last=True)

    def _beat(self):
        if not self.live:
            if self._over.wait(QUIET_SECONDS):
                return
            self._write(f"  {self.text} ...", last=False)
        while not self._over.wait(1 if self.live else HEARTBEAT_SECONDS):
            elapsed = duration(time.monotonic() - self.started)
            note = f" ({self.note})" if self.note else ""
            self._write(f"  {self.text} ... {elapsed}{note}", last=False)

    def _write(self, line, last):
        if self.live:
            self.stream.write(f"\r\033[K{line[:150]}" + ("\n" if last else ""))
        else:
            self.stream.write(line + "\n")
        self.stream.flush()


@contextlib.contextmanager
def step(text):
    """Run a block as one step named text; yields the Step, whose progress() may be called."""
    running = Step(text)
    try:
        yield running
    except BaseException:
        running.finish("stopped")
        raise
    running.finish()
