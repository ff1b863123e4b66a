"""Means of payment: Odoo's codes, and PM and BRAND of the platform, both ways.

Source: protocols/ogone.md, 1.4. What the platform reports is matched in any letter case.
"""

from dataclasses import dataclass
from types import MappingProxyType

CARD = "CreditCard"


@dataclass(frozen=True)
class Method:
    """How a means of payment is asked for.

    pm, brand  one preselected means of payment, "" when none is
    pm_list    tuple of PM (str) the customer chooses among, when Odoo has one code for several
    """

    pm: str = ""
    brand: str = ""
    pm_list: tuple = ()


REQUESTS = MappingProxyType(
    {
        "card": Method(CARD),
        "visa": Method(CARD, "VISA"),
        "mastercard": Method(CARD, "MasterCard"),
        "amex": Method(CARD, "American Express"),
        "maestro": Method(CARD, "Maestro"),
        "jcb": Method(CARD, "JCB"),
        "diners": Method(CARD, "Diners Club"),
        "discover": Method(CARD, "DISCOVER"),
        "cartes_bancaires": Method(CARD, "CB"),
        "dankort": Method(CARD, "Dankort"),
        "bancontact": Method(CARD, "BCMC"),
        "ideal": Method("iDEAL", "iDEAL"),
        "paypal": Method("PAYPAL", "PAYPAL"),
        "belfius": Method("Belfius Direct Net", "Belfius Direct Net"),
        "kbc_cbc": Method(pm_list=("KBC Online", "CBC Online")),
        "twint": Method("TWINT", "TWINT"),
        "sofort": Method("DirectEbanking", "Sofort Uberweisung"),
        "giropay": Method("giropay", "giropay"),
        "eps": Method("EPS", "EPS"),
        "paysafecard": Method("paysafecard", "paysafecard"),
        "bank_transfer": Method("Bank transfer", "Bank transfer"),
        "klarna_paynow": Method("KLARNA_PAYNOW"),
        "klarna_pay_over_time": Method("KLARNA_PAYLATER"),
        "klarna": Method(pm_list=("KLARNA_PAYLATER", "KLARNA_FINANCING", "KLARNA_DIRECT_DEBIT")),
        "p24": Method("Przelewy24"),
        "post_finance_pay": Method(pm_list=("PostFinance Card", "PostFinance e-finance")),
        "sepa_direct_debit": Method(
            pm_list=("Direct Debits DE", "Direct Debits NL", "Direct Debits AT"),
        ),
    }
)

_CARD_BRANDS = MappingProxyType(
    {
        **{
            method.brand.lower(): code
            for code, method in REQUESTS.items()
            if method.pm == CARD and method.brand
        },
        "bancontact/mister cash": "bancontact",
        "bancontact": "bancontact",
    }
)
_PMS = MappingProxyType(
    {
        **{pm.lower(): code for code, method in REQUESTS.items() for pm in method.pm_list},
        **{method.pm.lower(): code for code, method in REQUESTS.items() if method.pm not in ("", CARD)},
        "dexia netbanking": "belfius",
        "bcmc": "bancontact",  # what Odoo's own addon sent as PM
        "bancontact/mister cash": "bancontact",
    }
)
# these go on with a country
_PREFIXES = (
    ("directebanking", "sofort"),
    ("bank transfer", "bank_transfer"),
    ("direct debits", "sepa_direct_debit"),
    ("klarna_", "klarna"),
)


def request_of(code):
    """The Method for a code of Odoo ("bancontact"), an empty one when the customer is to choose freely."""
    return REQUESTS.get(code, Method()) if isinstance(code, str) else Method()


def code_of(pm, brand=""):
    """Odoo's code for PM and BRAND as reported (str): the card's brand where Odoo has one, "card" for other
    cards, "" for a means of payment that Odoo does not know."""
    pm, brand = (part.strip().lower() if isinstance(part, str) else "" for part in (pm, brand))
    if pm == CARD.lower() or (not pm and brand in _CARD_BRANDS):
        return _CARD_BRANDS.get(brand, "card")
    # an account that does not report PM may still report BRAND, which is the same word for most
    name = pm or brand
    return _PMS.get(name) or next((code for start, code in _PREFIXES if name.startswith(start)), "")
