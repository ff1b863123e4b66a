import re
from functools import lru_cache

from odoo import _, models


class ServipaySentence(models.AbstractModel):
    """What the plain Python rooms say in English, in the reader's language.

    Those rooms know no language: they make English sentences, some of which are stored (an operation's
    detail). Here each has its translation, found by the sentence itself.
    """

    _name = "servipay.sentence"
    _description = "Sentences of the protocol room"

    def _translate(self, text):
        """Return ``text`` (str or False) in the reader's language; what is not known stays as it is."""
        english = self.with_context(lang="en_US")._sentences()
        found = _find(tuple(english.items()), text or "")
        if not found:
            return text
        code, values = found
        return self._sentences()[code] % values if values else self._sentences()[code].replace("%%", "%")

    def _knows(self, text):
        """Tell whether ``text`` is one of our own sentences, and so nobody else's words."""
        english = self.with_context(lang="en_US")._sentences()
        return bool(text) and _find(tuple(english.items()), text) is not None

    def _translate_problem(self, problem):
        """Return one line about a ``ProtocolError``: the place, then what is wrong there."""
        sentence = self._translate(str(problem))
        return f"{problem.field}: {sentence}" if problem.field else sentence

    def _translate_differences(self, text):
        """Return "amount: 1 / 2; reference: A / B" with its names in the reader's language."""
        names = self._compared()
        parts = [part.partition(": ") for part in (text or "").split("; ")]
        return "; ".join(f"{names.get(name, name)}{colon}{rest}" for name, colon, rest in parts)

    def _compared(self):
        return {
            "operation_id": _("operation"),
            "terminal_pid": _("terminal"),
            "pos_id": _("POS ID"),
            "reference": _("reference"),
            "original_operation_id": _("original operation"),
            "currency": _("currency"),
            "amount": _("amount"),
        }

    def _sentences(self):
        """Return {code: sentence}. A sentence that fits others too stands after them."""
        return {**self._of_transport(), **self._of_requests(), **self._of_templates(), **self._of_profiles()}

    def _of_transport(self):
        return {
            "late": _("no answer in time"),
            "unreachable": _("the server could not be reached in time"),
            "no_name": _("that host name is unknown"),
            "no_way": _("no way leads to that address from this server"),
            "refused": _("nobody listens at that address and port"),
            "closed": _("the connection was closed before an answer came"),
            "tls": _("the secure connection failed: %(why)s"),
            "inside": _("%(address)s is an address inside the network, which this company may not call"),
            "large": _("the answer is larger than %(size)s bytes"),
        }

    def _of_requests(self):
        return {
            "header_empty": _("%(name)s is empty or cannot stand in a header."),
            "no_endpoint": _("The profile has no endpoint %(name)s."),
            "unfindable_request": _(
                "Without a reference or an idempotency key nothing could find this operation again."
            ),
            "amount_zero": _("The amount must be more than zero."),
            "amount_range": _("The amount %(amount)s is out of range."),
            "amount_fraction": _("The amount %(amount)s has a fraction of a minor unit."),
            "iso_4217": _("%(code)s is not an ISO 4217 currency."),
            "value": _("The value of %(name)s cannot be sent."),
            "path_value": _("A value may not make a path segment '.' or '..'."),
            "required": _("The variable %(name)s is required."),
        }

    def _of_templates(self):
        return {
            "too_large": _("A template has at most %(limit)s values."),
            "too_deep": _("A template is nested at most %(limit)s levels deep."),
            "template_long": _("A text in a template has at most %(limit)s characters."),
            "key": _("The key %(key)s is not a plain text; placeholders stand in values only."),
            "brace": _("A brace stands alone: write {name}, {name?}, or {{ and }} for braces."),
            "variable": _("%(name)s is not a variable."),
            "path": _("%(path)s is not a path."),
            "nan": _("NaN and Infinity are not JSON."),
            "type_json": _("%(name)s is not JSON."),
            "not_json": _("This is not JSON: %(why)s"),
            "not_codes": _("This is not a list of HTTP codes: %(text)s"),
        }

    def _of_profiles(self):
        return {
            **self._of_endpoints(),
            "bool": _("Must be true or false."),
            "int": _("Must be a whole number."),
            "text_long": _("Must be text of at most %(limit)s characters."),
            "text": _("Must be text."),
            "null_object": _("Must be an object or null."),
            "entries": _("Must be an object of at most %(limit)s entries."),
            "object": _("Must be an object."),
            "codes": _("Must be a list of at most %(limit)s codes."),
            "paths": _("Must be a list of at most %(limit)s paths."),
            "choice": _("Must be one of %(options)s."),
            "range": _("Must be between %(low)s and %(high)s."),
            "too_long": _("Has more than %(limit)s characters."),
            "empty": _("May not be empty."),
            "control_character": _("Holds a control character."),
            "status_code": _("Is not a status code that may stand here (%(low)s to %(high)s)."),
            "missing": _("Is missing."),
            "unknown_key": _("Is not a known key."),
            "header_name": _("Is not a header name."),
            "header_barred": _("May not be the header %(name)s."),
            "header_value": _("Is not a header value (visible ASCII, at most 500 characters)."),
            "header_twice": _("Names the header %(name)s again."),
            "path_start": _("Must start with '/'."),
            "path_character": _("Holds a character that no path may have: %(characters)s."),
            "path_segment": _("May not contain '//', '/./' or '..'."),
            "base_path": _("May not end with '/' nor hold a placeholder."),
            "no_word": _("Is no word."),
            "ambiguous": _("Stands twice with different states."),
            "never_approved": _("May not mean approved."),
            "poll": _("May not be shorter than poll.first."),
            "format": _("Must be %(expected)s."),
        }

    def _of_endpoints(self):
        return {
            "learned": _("Is missing: nothing could be learned."),
            "amount_place": _("Is missing: no payment could be approved while require_amount is set."),
            "no_inquiry": _(
                "Nothing can tell the outcome of a start: add operation_status or operation_result."
            ),
            "get_body": _("Must be null: a GET has no body."),
            "money_get": _("May not be GET: a GET is repeated by itself."),
            "money_retry": _("May not be set: this call moves money."),
            "must_use": _("Must use {%(name)s} (not optional) in its path, query or body."),
            "unfindable": _(
                "Carries neither {reference} nor {idempotency_key}: nothing could find it again."
            ),
            "currency_none": _("Requires {currency}, but currency_format is none: write {currency?}."),
        }


def _find(english, text):
    """Return (code, values) of the first English sentence that ``text`` is, or None."""
    for code, pattern in _patterns(english):
        match = pattern.fullmatch(text)
        if match:
            return code, match.groupdict()
    return None


@lru_cache(maxsize=4)
def _patterns(english):
    """Return [(code, pattern)] of ``english``, a tuple of (code, sentence with %(name)s places)."""
    patterns = []
    for code, sentence in english:
        parts = re.split(r"%\((\w+)\)s", sentence)
        fixed = (re.escape(part) for part in parts[::2])
        places = [f"(?P<{name}>.+)" for name in parts[1::2]] + [""]
        patterns.append((code, re.compile("".join(map("".join, zip(fixed, places, strict=True))), re.S)))
    return patterns
