"""One message's turn in the inbox: do what it leads to, and only then mark it.

prepare in a transaction -> ask the provider without a cursor -> apply and mark in a transaction. Whatever
ends the process on the way, the message is still "received" and the job gives it another turn; so everything
in a turn may be done twice. A provider that does not answer leaves it waiting for its next try, too.
"""

from dataclasses import dataclass

from odoo.modules import module as odoo_module

from ..api.masking import Masker, get_logger
from .own_transaction import Detached, in_own_transaction
from .workers import answers

_logger = get_logger(__name__)


@dataclass(frozen=True)
class Question:
    """What a provider has to be asked before a message can be applied.

    :param key: any value; messages with the same key share an answer that was asked for after they came
    :param ask: function of (environment or ``Detached``) that speaks without a cursor and returns what
        ``_<provider>_conclude_notification`` gets; asking twice does no harm
    """

    key: tuple
    ask: object


class NotYet(Exception):
    """A message cannot be concluded now: nobody answered, or what it is about is not over.

    :param text: why, for people
    :param silent: whether a provider should have answered and did not
    """

    def __init__(self, text, silent=False):
        super().__init__(text)
        self.text, self.silent = text, silent


def apply_notification(env, number, replay=False):
    """Give a message its turn; tells whether it was applied, or will be by an answer that is asked for.

    :param env: an environment or a ``Detached``, so that it needs no request
    """
    turn = Turn(env, number, replay)
    question = turn.begin()
    if not isinstance(question, Question):
        return question
    if odoo_module.current_test:
        turn.conclude(turn.ask(question))
        return True
    key = (turn.env.registry.db_name, *question.key)
    answers.request(key, lambda: turn.ask(question), number, turn.conclude)
    return True


class Turn:
    """One message's turn, in transactions of its own."""

    def __init__(self, env, number, replay):
        self.env = env if odoo_module.current_test else _detached(env)
        self.number, self.replay = number, replay

    def begin(self):
        """Apply the message; returns whether it was, or the ``Question`` that comes first."""
        return self._try("_apply_locked", self.replay)

    def ask(self, question):
        """Return the answer to a question, or the exception that was raised instead."""
        try:
            return question.ask(self.env)
        except Exception as error:  # pylint: disable=broad-except
            _logger.exception("what notification %s needs could not be asked", self.number)
            return error

    def conclude(self, answer):
        """Apply the message with the answer."""
        self._try("_conclude_locked", answer, self.replay)

    def _try(self, method, *arguments):
        try:
            result = self._apart(method, *arguments)
        except NotYet as later:
            self._apart("_note_waiting", later.text, later.silent)
            return False
        except Exception as error:  # pylint: disable=broad-except
            # whatever the handler raised, its transaction is gone and the message must not be
            _logger.exception("notification %s could not be applied", self.number)
            self._apart("_note_waiting", Masker().exception(error), True)
            return False
        if result is True:
            self._follow_up()
        return result

    def _follow_up(self):
        try:
            self._apart("_follow_up")
        except Exception:  # pylint: disable=broad-except
            _logger.exception("what follows notification %s has to be done by its job", self.number)

    def _apart(self, method, *arguments):
        return in_own_transaction(
            self.env,
            lambda env: getattr(env["servipay.notification"].browse(self.number), method)(*arguments),
        )


def _detached(env):
    return env if isinstance(env, Detached) else Detached(env)
