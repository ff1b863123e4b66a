# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""An Ogone platform to test against: payment pages to click, DirectLink, feedback, books, every fault.

    python simulator.py --port 8789 --feedback-url http://127.0.0.1:8069/payment/ogone/return

    with Simulator() as sim:                              # the same inside a test; a free port
        visit = sim.open(fields)                          # what a browser does with the form
        sim.attempt(visit, "30511001")                    # refused: insufficient funds
        target = sim.attempt(visit, "ok")                 # where the browser goes
        sim.advance(days=1)                               # the virtual clock: 91 becomes 9, retries are sent
        ...
        assert sim.count_charges("S00042-1") == 1

What it imitates
----------------
The behaviour of protocols/ogone.md, 1 to 5 and 8.3, below ``/ncol/prod/`` and ``/ncol/test/``, each page in
UTF-8 (``_utf8``) and ISO-8859-1. ``orderstandard``: names in any letter case, SHA-IN over everything sent
that the published list names, lengths, currency, language, operation, alias; then a 302 to
``/payment/hostedpage/<32 hex>``. What is wrong there gets a page without details and a line in the error log
(``/_simulator/errors``). The customer tries up to three times, cancels, walks away, identifies with a 3-D
Secure card, stores the card. Feedback goes to the back office's addresses (not to those of the form), online,
deferred, or deferred when online failed (every 10 minutes, 4 times, on a virtual clock); the shop's answer to
an online request is shown to the customer as the platform does it; the browser is sent back with signed
parameters. ``orderdirect``, ``maintenancedirect`` and ``querydirect`` check who asks, what, and the state of
the order, and answer XML; 46 comes with a form that leads to a page where a person identifies. Maintenance
is offline: 91, 61 and 81 become 9, 6 and 8 an hour later and are told to the status address. Amounts are a
hundred times the value in every currency. It shares no code with ``ogone/`` on purpose.

What it does NOT imitate
------------------------
TLS, ports 80 and 443 as the only ones for feedback, the back office, Alias Gateway, FlexCheckout, batch
files, subscriptions, fraud scores, dynamic templates and layout, other banks' pages (other methods are
accepted on our page), split credit cards, refunds to a card without an order, deletion of a payment on its
day (7x), direct debits, real texts, logos and design (none are theirs). Strong authentication is asked by one
test card only. The two environments differ in their orders, not in their passphrases. All state is memory.

Our assumptions, written nowhere: feedback is delivered when the shop answers 2xx or 3xx; 4 retries come
after the first request, online or deferred; a text answer to an online request shows the end page with a link
to the shop, an empty one lets the browser go on; a number that was only refused or cancelled may be used
again (``reuse``); a void that is too large is 50001126; refunds wait until no capture of the order is 91; a
duplicated name is refused; ``querydirect`` checks SHASIGN when it is there.

Test cards
----------
=================  =====================  ===============================================================
4111111111111111   VISA                   accepted
4000000000000002   VISA                   3-D Secure: a page of its own; DirectLink 46, or 50001087 without
                                          FLAG3D
5399999999999999   MasterCard             accepted
374111111111111    American Express       accepted
67030000000000003  Bancontact             accepted; BRAND is the account's ``bancontact_brand``
4000000000000010   VISA                   refused by the bank, 30511001
4000000000000028   VISA                   uncertain: 52 (authorisation) or 92 (sale)
4000000000000036   VISA                   accepted on the page, expired (30331001) when used by its alias
=================  =====================  ===============================================================

The back office, by :meth:`Simulator.configure` or ``POST /_simulator/configure``: fields of :class:`Account`.
Behaviour and faults, by :meth:`Simulator.set` or ``POST /_simulator/set`` (JSON, loopback only):

=================  ======================================================================================
deliver            False: feedback is stored, not sent (see ``notify``)
when               "before" the browser goes back (default), "after" it (``after_seconds``)
copies, parallel   how often each message is sent, one after another or all at once
sign               "good", "wrong", "altered" (STATUS changed afterwards), "none", "stranger" (another
                   passphrase), "swapped" (the SHA-IN one), "lower" (hex in small letters)
sha_order          "list": SCO_CATEGORY before SCORING as published; "ascii": the other way round
scoring            {"SCORING": .., "SCO_CATEGORY": ..} in the feedback
names              "documented" (orderID, amount, ...), "upper", "lower", "odd"
place              of SHASIGN: "last", "middle", "first"
extra              more names and values in the feedback, not signed
override           {NAME: value} reported (and signed) instead of the true one; None: left out
charset            of the feedback, instead of the page's
mask, amounts      "X" or "x" of a card number; "short" (15) or "two" (15.00)
deferred_delay     seconds until a deferred request; retries, retry_minutes, timeout (real seconds)
report_refusals    feedback of each refused attempt, not only of the last
report_changes     status feedback of 91, 61 and 81 too, not only of what becomes of them
text_reply         "page" or "redirect": what a text answer to an online request does
sale               "9" or "91": what an accepted sale is at first
settle_minutes     until a pending status changes; settle = {"91": "9", ...} (None: never)
reuse              statuses whose order number may be used again: "refused" (0, 1, 2), "open" (46 too),
                   "never"
attributes         "full" or "minimal" XML; html_script: HTML_ANSWER sends itself
=================  ======================================================================================

``POST /_simulator/fault {"endpoint", "kind", "times", "booked", "seconds", "status", "size"}``: endpoint
"order", "maintenance", "query" or "page"; kind "latency", "drop", "html", "server_error", "garbage",
"oversize", "drip", "truncated", "accents", "minimal", "blank_status", "format_check"; ``booked`` false:
nothing is carried out ("drop_before" and "drop_after" are short for a drop). ``POST /_simulator/script
{"endpoint", "outcome"}``: the next order is "ok", "3ds", "soft", a NCERROR or a status, the next maintenance
"pending", "final", "uncertain", "refused" or a status, the next query "88".

``GET /_simulator/books`` (orders, sums, aliases, notifications, redirects, errors), ``errors``, ``requests``
and ``state``; ``POST`` ``set``, ``configure``, ``reset {"account"}``, ``fault``, ``script``, ``advance
{"minutes"}``, ``settle {"orderid", "payidsub", "status"}``, ``notify {"orderid", "which", "copies",
"parallel"}``, ``maintain {"orderid", "operation", "amount"}`` (a person in the back office), ``delete_alias
{"alias"}`` and ``unblock``.
"""

import argparse
import base64
import contextlib
import copy
import dataclasses
import datetime
import hashlib
import heapq
import hmac
import html
import http.client
import itertools
import json
import math
import random
import re
import secrets
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlsplit

PSPID, USERID, PASSWORD = "servipay", "servipay-api", "Simulator-2026"
SHA_IN, SHA_IN_DIRECTLINK, SHA_OUT = "Sim-in.Page-2026!", "Sim-in.Direct-2026", "Sim-out.Back-2026"
ATTEMPTS = 3
MAX_BODY = 1 << 20  # bytes of a request that are read at all
MAX_PASSWORDS = 5  # wrong ones until the API user is blocked

# --- Vocabulary -----------------------------------------------------------------------------------

PUBLISHED_IN = """
ACCEPTANCE ACCEPTURL ADDMATCH ADDRMATCH AIACTIONNUMBER AIAGIATA AIAIRNAME AIAIRTAX AIBOOKIND* AICARRIER*
AICHDET AICLASS* AICONJTI AIDEPTCODE AIDESTCITY* AIDESTCITYL* AIEXTRAPASNAME* AIEYCD AIFLDATE* AIFLNUM*
AIGLNUM AIINVOICE AIIRST AIORCITY* AIORCITYL* AIPASNAME AIPROJNUM AISTOPOV* AITIDATE AITINUM AITINUML*
AITYPCH AIVATAMNT AIVATAPPL ALIAS ALIASOPERATION ALIASPERSISTEDAFTERUSE ALIASUSAGE ALLOWCORRECTION AMOUNT
AMOUNT* AMOUNTHTVA AMOUNTTVA ARP_TRN BACKURL BATCHID BGCOLOR BLVERNUM BIC BIN BRAND BRANDVISUAL
BROWSERACCEPTHEADER BROWSERCOLORDEPTH BROWSERJAVAENABLED BROWSERJAVASCRIPTENABLED BROWSERLANGUAGE
BROWSERSCREENHEIGHT BROWSERSCREENWIDTH BROWSERTIMEZONE BROWSERUSERAGENT BUTTONBGCOLOR BUTTONTXTCOLOR
CANCELURL CARDNO CATALOGURL CAVV_3D CAVVALGORITHM_3D CERTID CHECK_AAV CIVILITY CN COF_INITIATOR
COF_RECURRING_EXPIRY COF_RECURRING_FREQUENCY COF_SCHEDULE COF_TRANSACTION COM COMPLUS CONVCCY COSTCENTER
COSTCODE CREDITCODE CREDITDEBIT CUID CURRENCY CVC CVCFLAG DATA DATATYPE DATEIN DATEOUT DBXML DCC_COMMPERC
DCC_CONVAMOUNT DCC_CONVCCY DCC_EXCHRATE DCC_EXCHRATETS DCC_INDICATOR DCC_MARGINPERC DCC_REF DCC_SOURCE
DCC_VALID DECLINEURL DELIVERYDATE DEVICE DISCOUNTRATE DISPLAYMODE ECI ECI_3D ECOM_BILLTO_COMPANY
ECOM_BILLTO_POSTAL_CITY ECOM_BILLTO_POSTAL_COUNTRYCODE ECOM_BILLTO_POSTAL_COUNTY
ECOM_BILLTO_POSTAL_NAME_FIRST ECOM_BILLTO_POSTAL_NAME_LAST ECOM_BILLTO_POSTAL_NAME_PREFIX
ECOM_BILLTO_POSTAL_POSTALCODE ECOM_BILLTO_POSTAL_STREET_LINE1 ECOM_BILLTO_POSTAL_STREET_LINE2
ECOM_BILLTO_POSTAL_STREET_LINE3 ECOM_BILLTO_POSTAL_STREET_NUMBER ECOM_BILLTO_TELECOM_MOBILE_NUMBER
ECOM_BILLTO_TELECOM_PHONE_NUMBER ECOM_CONSUMERID ECOM_CONSUMER_GENDER ECOM_CONSUMEROGID
ECOM_CONSUMERORDERID ECOM_CONSUMERUSERALIAS ECOM_CONSUMERUSERPWD ECOM_CONSUMERUSERID
ECOM_ESTIMATEDDELIVERYDATE ECOM_ESTIMATEDELIVERYDATE ECOM_PAYMENT_CARD_EXPDATE_MONTH
ECOM_PAYMENT_CARD_EXPDATE_YEAR ECOM_PAYMENT_CARD_NAME ECOM_PAYMENT_CARD_VERIFICATION ECOM_SHIPMETHOD
ECOM_SHIPMETHODDETAILS ECOM_SHIPMETHODSPEED ECOM_SHIPMETHODTYPE ECOM_SHIPTO_COMPANY ECOM_SHIPTO_DOB
ECOM_SHIPTO_ONLINE_EMAIL ECOM_SHIPTO_POSTAL_CITY ECOM_SHIPTO_POSTAL_COUNTRYCODE ECOM_SHIPTO_POSTAL_COUNTY
ECOM_SHIPTO_POSTAL_NAME_FIRST ECOM_SHIPTO_POSTAL_NAME_LAST ECOM_SHIPTO_POSTAL_NAME_PREFIX
ECOM_SHIPTO_POSTAL_POSTALCODE ECOM_SHIPTO_POSTAL_STATE ECOM_SHIPTO_POSTAL_STREET_LINE1
ECOM_SHIPTO_POSTAL_STREET_LINE2 ECOM_SHIPTO_POSTAL_STREET_NUMBER ECOM_SHIPTO_TELECOM_FAX_NUMBER
ECOM_SHIPTO_TELECOM_MOBILE_NUMBER ECOM_SHIPTO_TELECOM_PHONE_NUMBER ECOM_SHIPTO_TVA ED EMAIL EXCEPTIONURL
EXCLPMLIST EXECUTIONDATE* FACEXCL* FACTOTAL* FIRSTCALL FLAG3D FONTTYPE FORCECODE1 FORCECODE2 FORCECODEHASH
FORCEPROCESS FORCETP FP_ACTIV GENERIC_BL GIROPAY_ACCOUNT_NUMBER GIROPAY_BLZ GIROPAY_OWNER_NAME GLOBORDERID
GUID HDFONTTYPE HDTBLBGCOLOR HDTBLTXTCOLOR HEIGHTFRAME HOMEURL HTTP_ACCEPT HTTP_USER_AGENT INCLUDE_BIN
INCLUDE_COUNTRIES INITIAL_REC_TRN INVDATE INVDISCOUNT INVLEVEL INVORDERID ISSUERID IST_MOBILE ITEM_COUNT
ITEMATTRIBUTES* ITEMCATEGORY* ITEMCOMMENTS* ITEMDESC* ITEMDISCOUNT* ITEMFDMPRODUCTCATEG* ITEMID* ITEMNAME*
ITEMPRICE* ITEMQUANT* ITEMQUANTORIG* ITEMUNITOFMEASURE* ITEMVAT* ITEMVATCODE* ITEMWEIGHT* LANGUAGE
LEVEL1AUTHCPC LIDEXCL* LIMITCLIENTSCRIPTUSAGE LINE_REF LINE_REF1 LINE_REF2 LINE_REF3 LINE_REF4 LINE_REF5
LINE_REF6 LIST_BIN LIST_COUNTRIES LOGO MANDATEID MAXITEMQUANT* MERCHANTID MODE
MPI.CARDHOLDERACCOUNTAGEINDICATOR MPI.CARDHOLDERACCOUNTCHANGE MPI.CARDHOLDERACCOUNTCHANGEINDICATOR
MPI.CARDHOLDERACCOUNTDATE MPI.CARDHOLDERACCOUNTPASSWORDCHANGE MPI.CARDHOLDERACCOUNTPASSWORDCHANGEINDICATOR
MPI.CHALLENGEWINDOWSIZE MPI.DELIVERYEMAILADDRESS MPI.DELIVERYTIMEFRAME MPI.GIFTCARDAMOUNT
MPI.GIFTCARDCOUNT MPI.GIFTCARDCURRENCY MPI.HOMEPHONE.COUNTRYCODE MPI.HOMEPHONE.SUBSCRIBER
MPI.MOBILEPHONE.COUNTRYCODE MPI.MOBILEPHONE.SUBSCRIBER MPI.MERCHANTFRAUDRATE
MPI.NUMBEROFPURCHASEWITHACCOUNTINTHELASTSIXMONTHS MPI.PAYMENTACCOUNTAGE MPI.PAYMENTACCOUNTAGEINDICATOR
MPI.PREORDERDATE MPI.PREORDERPURCHASEINDICATOR MPI.PROVISIONATTEMPTSINTHELAST24HOURS
MPI.REORDERITEMSINDICATOR MPI.SECURECORPORATEPAYMENT MPI.SHIPPINGADDRESSUSAGE
MPI.SHIPPINGADDRESSWASFIRSTUSED MPI.SHIPPINGINDICATOR MPI.SHIPPINGNAMEANDCARDHOLDERNAMEAREIDENTICAL
MPI.SUSPICIOUSACCOUNTACTIVITYDETECTED MPI.THREEDSREQUESTORAUTHENTICATIONDATA
MPI.THREEDSREQUESTORAUTHENTICATIONMETHOD MPI.THREEDSREQUESTORAUTHENTICATIONTIMESTAMP
MPI.THREEDSREQUESTORCHALLENGEINDICATOR MPI.THREEDSREQUESTORPRIORAUTHENTICATIONDATA
MPI.THREEDSREQUESTORPRIORAUTHENTICATIONMETHOD MPI.THREEDSREQUESTORPRIORAUTHENTICATIONTIMESTAMP
MPI.THREEDSREQUESTORPRIORREFERENCE MPI.TRANSACTIONACTIVITYINTHELAST24HOURS MPI.TRANSACTIONTYPE
MPI.WORKPHONE.COUNTRYCODE MPI.WORKPHONE.SUBSCRIBER MTIME MVER NETAMOUNT OPERATION ORDERID ORDERSHIPCOST
ORDERSHIPMETH ORDERSHIPTAX ORDERSHIPTAXCODE ORIG OR_INVORDERID OR_ORDERID OWNERADDRESS OWNERCTY OWNERTELNO
OWNERTOWN OWNERZIP PAIDAMOUNT PARAMPLUS PARAMVAR PAYID PAYMETHOD PM PMLIST PMLISTPMLISTTYPE PMLISTTYPE
PMLISTTYPEPMLIST PMTYPE POPUP POST PSPID PSWD RECIPIENTACCOUNTNUMBER RECIPIENTDOB RECIPIENTLASTNAME
RECIPIENTZIP REF REFER REFID REFKIND REF_CUSTOMERID REF_CUSTOMERREF REGISTRED REMOTE_ADDR REQGENFIELDS
REQUESTCOMPLETIONID RNPOFFERT RTIMEOUT RTIMEOUTREQUESTEDTIMEOUT SCORINGCLIENT SEQUENCETYPE SETT_BATCH SID
SIGNDATE STATUS_3D SUBSCRIPTION_ID SUB_AM SUB_AMOUNT SUB_COM SUB_COMMENT SUB_CUR SUB_ENDDATE SUB_ORDERID
SUB_PERIOD_MOMENT SUB_PERIOD_MOMENT_M SUB_PERIOD_MOMENT_WW SUB_PERIOD_NUMBER SUB_PERIOD_NUMBER_D
SUB_PERIOD_NUMBER_M SUB_PERIOD_NUMBER_WW SUB_PERIOD_UNIT SUB_STARTDATE SUB_STATUS TAAL TAXINCLUDED*
TBLBGCOLOR TBLTXTCOLOR TID TITLE TOTALAMOUNT TP TRACK2 TXTBADDR2 TXTCOLOR TXTOKEN TXTOKENTXTOKENPAYPAL
TXSHIPPING TXSHIPPINGLOCATIONPROFILE TXURL TXVERIFIER TYPE_COUNTRY UCAF_AUTHENTICATION_DATA
UCAF_PAYMENT_CARD_CVC2 UCAF_PAYMENT_CARD_EXPDATE_MONTH UCAF_PAYMENT_CARD_EXPDATE_YEAR
UCAF_PAYMENT_CARD_NUMBER USERID USERTYPE VERSION WBTU_MSISDN WBTU_ORDERID WEIGHTUNIT WIN3DS WITHROOT XDL
""".split()
PUBLISHED_OUT = """
AAVADDRESS AAVCHECK AAVMAIL AAVNAME AAVPHONE AAVZIP ACCEPTANCE ALIAS AMOUNT BIC BIN BRAND CARDNO CCCTY CN
COLLECTOR_BIC COLLECTOR_IBAN COMPLETIONID COMPLUS CREATION_STATUS CREDITDEBIT CURRENCY CVCCHECK
DCC_COMMPERCENTAGE DCC_CONVAMOUNT DCC_CONVCCY DCC_EXCHRATE DCC_EXCHRATESOURCE DCC_EXCHRATETS DCC_INDICATOR
DCC_MARGINPERCENTAGE DCC_VALIDHOURS DEVICEID DIGESTCARDNO ECI ED EMAIL ENCCARDNO FXAMOUNT FXCURRENCY IP
IPCTY MANDATEID MOBILEMODE NBREMAILUSAGE NBRIPUSAGE NBRIPUSAGE_ALLTX NBRUSAGE NCERROR ORDERID PAYID
PAYIDSUB PAYMENT_REFERENCE PM REQUESTCOMPLETIONID SCO_CATEGORY SCORING SEQUENCETYPE SIGNDATE STATUS
SUBBRAND SUBSCRIPTION_ID TICKET TRXDATE VC
""".split()
LANGUAGES = set(
    "en_US cs_CZ de_DE dk_DK el_GR es_ES fr_FR it_IT ja_JP nl_BE nl_NL no_NO pl_PL pt_PT ru_RU se_SE sk_SK "
    "tr_TR".split()
)
CURRENCIES = set(
    "AED AUD BGN BHD BRL CAD CHF CLP CNY CZK DKK EUR GBP HKD HUF ILS INR ISK JPY KRW KWD MAD MXN MYR NOK NZD "
    "OMR PHP PLN RON RUB SAR SEK SGD THB TND TRY TWD UAH USD XAF XOF XPF ZAR".split()
)
WHOLE = {"JPY", "KRW", "CLP", "ISK", "XAF", "XOF", "XPF"}  # no decimals: AMOUNT is a multiple of 100
BRANDS = (
    "VISA",
    "MasterCard",
    "American Express",
    "Maestro",
    "JCB",
    "Diners Club",
    "DISCOVER",
    "CB",
    "AIRPLUS",
    "Aurore",
    "Dankort",
    "BCMC",
    "Bancontact/Mister Cash",
)
COUNTRIES = ("AT", "BE", "CH", "DE", "FR", "GB", "IT", "NL")
METHODS = {  # PM -> brands besides its own name
    "CreditCard": BRANDS,
    "iDEAL": (),
    "PAYPAL": (),
    "Belfius Direct Net": (),
    "DEXIA NetBanking": (),
    "KBC Online": (),
    "CBC Online": (),
    "ING HomePay": (),
    "TWINT": (),
    "DirectEbanking": ("Sofort Uberweisung",),
    **{f"DirectEbanking{country}": ("Sofort Uberweisung",) for country in COUNTRIES},
    "giropay": (),
    "EPS": (),
    "paysafecard": (),
    "Bank transfer": (),
    **{f"Bank transfer {country}": ("Bank transfer",) for country in COUNTRIES},
    "KLARNA_PAYNOW": (),
    "KLARNA_PAYLATER": (),
    "KLARNA_FINANCING": (),
    "KLARNA_BANK_TRANSFER": (),
    "KLARNA_DIRECT_DEBIT": (),
    "Przelewy24": (),
    "PostFinance Card": ("PostFinance + card",),
    "PostFinance e-finance": (),
    **{f"Direct Debits {country}": () for country in ("DE", "NL", "AT")},
}
LIMITS = {
    "PSPID": 30,
    "ORDERID": 40,
    "LANGUAGE": 5,
    "CN": 35,
    "EMAIL": 50,
    "OWNERADDRESS": 35,
    "OWNERZIP": 10,
    "OWNERTOWN": 40,
    "OWNERCTY": 2,
    "OWNERTELNO": 20,
    "COM": 100,
    "ACCEPTURL": 200,
    "DECLINEURL": 200,
    "EXCEPTIONURL": 200,
    "CANCELURL": 200,
    "BACKURL": 200,
    "HOMEURL": 200,
    "CATALOGURL": 200,
    "PM": 25,
    "BRAND": 25,
    "PARAMVAR": 50,
    "ALIAS": 50,
}
ADDRESSES = ("ACCEPTURL", "DECLINEURL", "EXCEPTIONURL", "CANCELURL", "BACKURL")
MEANINGS = {  # of a NCERROR, in our words
    "30331001": "card expired",
    "30511001": "insufficient funds",
    "30051001": "declined by the bank",
    "30141001": "no such card",
    "30591001": "suspected fraud",
    "40001134": "identification failed",
    "50001005": "expiry date wrong or in the past",
    "50001007": "operation unknown",
    "50001046": "operation not allowed",
    "50001054": "card number wrong",
    "50001087": "the bank asks for strong authentication",
}
REFUSALS = ("30051001", "30511001", "30331001", "30141001", "30591001")
PENDING = {"91": "9", "81": "8", "61": "6", "51": "5", "41": "9"}
ACCEPTED, DECLINED, EXCEPTION = {"5", "4", "9", "41", "51", "91"}, {"2", "93"}, {"52", "92"}
TAKEN = {"5", "9", "91", "95"}  # money is taken or reserved
PAID, PAYING, VOID = {"9", "95"}, {"91", "92", "97", "98", "99"}, {"6", "64"}
DEFAULTS = {
    "deliver": True,
    "when": "before",
    "after_seconds": 1.0,
    "copies": 1,
    "parallel": False,
    "sign": "good",
    "sha_order": "list",
    "scoring": None,
    "names": "documented",
    "place": "last",
    "extra": {},
    "override": {},
    "charset": None,
    "mask": "X",
    "amounts": "short",
    "deferred_delay": 60,
    "retries": 4,
    "retry_minutes": 10,
    "timeout": 5,
    "report_refusals": False,
    "report_changes": False,
    "text_reply": "page",
    "sale": "9",
    "settle_minutes": 60,
    "settle": PENDING,
    "reuse": "refused",
    "attributes": "full",
    "html_script": False,
}
FIELDS = {  # what the merchant picked for the feedback ("dynamic parameters"), as names of the SHA-OUT list
    "minimal": "ORDERID STATUS PAYID NCERROR",
    "odoo": "ALIAS AMOUNT CARDNO CN CURRENCY IP NCERROR ORDERID PAYID PM STATUS TRXDATE",
    "standard": "ORDERID CURRENCY AMOUNT PM ACCEPTANCE STATUS CARDNO ALIAS ED CN TRXDATE PAYID NCERROR BRAND "
    "COMPLUS IP",
    "full": "ORDERID CURRENCY AMOUNT PM ACCEPTANCE STATUS CARDNO ALIAS ED CN TRXDATE PAYID PAYIDSUB NCERROR "
    "BRAND COMPLUS IPCTY CCCTY ECI CVCCHECK AAVCHECK VC AAVADDRESS CREDITDEBIT SUBBRAND IP",
}
SPELLING = {
    "ORDERID": "orderID",
    "AMOUNT": "amount",
    "CURRENCY": "currency",
    "CVCCHECK": "CVCCheck",
    "AAVCHECK": "AAVCheck",
}
LEGACY = "ORDERID CURRENCY AMOUNT PM ACCEPTANCE STATUS CARDNO PAYID NCERROR BRAND".split()


@dataclass(frozen=True)
class Card:
    """A means of payment of the test platform; ``kind`` says what becomes of it."""

    number: str
    brand: str
    kind: str = "ok"
    method: str = "CreditCard"


CARDS = {
    card.number: card
    for card in (
        Card("4111111111111111", "VISA"),
        Card("4000000000000002", "VISA", "3ds"),
        Card("5399999999999999", "MasterCard"),
        Card("374111111111111", "American Express"),
        Card("67030000000000003", "BCMC"),
        Card("4000000000000010", "VISA", "30511001"),
        Card("4000000000000028", "VISA", "uncertain"),
        Card("4000000000000036", "VISA", "expires"),
    )
}
OTHERS = ("PAYPAL", "iDEAL", "Bank transfer", "Belfius Direct Net", "TWINT")


@dataclass
class Account:
    """What the merchant's contract and back office say. Empty passphrase: not set over there."""

    pspid: str = PSPID
    userid: str = USERID
    password: str = PASSWORD
    sha_in: str = SHA_IN
    sha_in_directlink: str | None = SHA_IN_DIRECTLINK  # None: the same as sha_in
    sha_out: str = SHA_OUT
    algorithm: str = "sha512"
    composition: str = "each"  # or "main": SHA-OUT of an account that is older than May 2010
    currencies: tuple = ("EUR", "USD", "GBP", "CHF", "JPY", "CAD", "SEK", "DKK", "NOK", "PLN", "TND", "KWD")
    operation: str = "RES"  # when the form names none
    alias_manager: bool = True
    directlink: bool = True
    bancontact_brand: str = "Bancontact/Mister Cash"
    methods: tuple = ()  # more PM names
    allowed_ips: tuple = ()  # of DirectLink; empty: all
    referrers: tuple = ()  # beginnings of the shop's addresses; empty: all
    query_sha: str = "optional"  # or "required"
    feedback: str = "both"  # "none", "online", "deferred", "both": deferred when online failed
    method: str = "POST"
    accepted_url: str = ""  # feedback about accepted, pending and uncertain payments
    declined_url: str = ""  # about cancelled and refused ones; empty: the same
    status_url: str = ""  # status changes
    redirect_parameters: bool = True
    fields: object = "standard"  # a name of FIELDS or a list of names

    def change(self, values):
        """Set fields by name; ValueError for one that does not exist."""
        known = {each.name for each in dataclasses.fields(self)}
        if set(values) - known:
            raise ValueError(f"unknown settings of the account {sorted(set(values) - known)}")
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def picked(self):
        """Names of the feedback's fields, upper case."""
        if isinstance(self.fields, str):
            return FIELDS[self.fields].split()
        return [name.upper() for name in self.fields]


# --- Parameters and signatures --------------------------------------------------------------------


class Refused(Exception):
    """A request the platform does not take: text for the error log, NCERROR and the PAYID for DirectLink."""

    def __init__(self, text, ncerror="50001111", payid="0", status="0"):
        super().__init__(text)
        self.ncerror, self.payid, self.status = ncerror, payid, status


def read_parameters(data, charset):
    """{NAME: value} of a urlencoded body; names upper case, empty values left out; Refused."""
    found = {}
    for part in data.decode("latin-1").split("&"):
        name, _mark, value = part.partition("=")
        name = unquote_plus(name, charset).upper()
        if not name:
            continue
        if name in found:
            raise Refused(f"{name} twice")
        found[name] = unquote_plus(value, charset)
    return {name: value for name, value in found.items() if value}


class Signer:
    """Signs with one of the published lists: what it does not name is not signed, its order is the order."""

    def __init__(self, published):
        self.places = {name: at for at, name in enumerate(published) if not name.endswith("*")}
        self.stems = {name[:-1]: at for at, name in enumerate(published) if name.endswith("*")}

    def place(self, name):
        """(place in the list, running number) of a name, None when the list has it not."""
        name = name.upper()
        if name in self.places:
            return self.places[name], 0
        match = re.fullmatch(r"(.*?)(\d+)", name)
        if match and match[1] in self.stems:
            return self.stems[match[1]], int(match[2])
        return None

    def text(self, pairs, passphrase, order="list"):
        """What is hashed for [(name, value)]."""
        signed = [(name.upper(), value) for name, value in pairs if value != "" and self.place(name)]
        signed.sort(key=lambda pair: self.place(pair[0]) if order == "list" else pair[0])
        return "".join(f"{name}={value}{passphrase}" for name, value in signed)

    def sign(self, pairs, passphrase, algorithm="sha512", charset="utf-8", order="list"):
        """Upper-case hex digest."""
        return digest(self.text(pairs, passphrase, order), algorithm, charset)


def digest(text, algorithm, charset="utf-8"):
    """Upper-case hex of a text."""
    return hashlib.new(algorithm, text.encode(charset, "xmlcharrefreplace")).hexdigest().upper()


def sign_legacy(pairs, passphrase, algorithm, charset="utf-8"):
    """SHA-OUT with "main parameters only": bare values in a fixed order, the passphrase once."""
    values = {name.upper(): value for name, value in pairs}
    return digest("".join(values.get(name, "") for name in LEGACY) + passphrase, algorithm, charset)


IN, OUT = Signer(PUBLISHED_IN), Signer(PUBLISHED_OUT)


def check_signature(asked, passphrase, algorithm, charset):
    """Refused unless SHASIGN fits; nothing is checked where no passphrase is set."""
    if not passphrase:
        return
    if "SHASIGN" not in asked:
        raise Refused("unknown order/0/s", "50001184")
    wanted = IN.sign(list(asked.items()), passphrase, algorithm, charset)
    if not hmac.compare_digest(wanted.encode(), asked["SHASIGN"].upper().encode()):
        raise Refused("unknown order/1/s", "50001184")


class Rules:
    """What both the page and DirectLink ask of an order's parameters."""

    def __init__(self, account):
        self.account = account

    def check(self, asked, needed):
        """Refused when something is missing, too long or wrong."""
        for name in needed:
            if name not in asked:
                raise Refused(f" no {name.lower()}")
        for name, limit in LIMITS.items():
            if len(asked.get(name, "")) > limit:
                raise Refused(f"{name} too long")
        if not re.fullmatch(r"[\x20-\x7e]*", asked.get("ORDERID", "")):
            raise Refused("ORDERID has characters that are not allowed")
        self._check_alias(asked)
        self._check_addresses(asked)
        if "LANGUAGE" in asked and asked["LANGUAGE"] not in LANGUAGES:
            raise Refused(f"not a valid language: {asked['LANGUAGE']}")
        if asked.get("WIN3DS", "MAINW") not in ("MAINW", "POPUP", "POPIX"):
            raise Refused("WIN3DS is not valid")

    def _check_alias(self, asked):
        if not re.fullmatch(r"[A-Za-z0-9_-]*", asked.get("ALIAS", "")):
            raise Refused("ALIAS has characters that are not allowed")
        if asked.get("ALIASOPERATION", "BYMERCHANT").upper() not in ("BYMERCHANT", "BYPSP", "BYOGONE"):
            raise Refused("ALIASOPERATION is not valid")
        if asked.get("ALIASPERSISTEDAFTERUSE", "Y") not in ("Y", "N"):
            raise Refused("ALIASPERSISTEDAFTERUSE is not valid")

    def _check_addresses(self, asked):
        for name in ADDRESSES:
            if name in asked and not re.match(r"https?://[^/\s]+", asked[name]):
                raise Refused(f"{name} is not an absolute address")

    def amount(self, asked):
        """AMOUNT as a number, after AMOUNT and CURRENCY were checked; Refused."""
        if not re.fullmatch(r"\d{1,15}", asked["AMOUNT"], re.ASCII):
            raise Refused("amount too long or not numeric", "50001006")
        currency, amount = asked["CURRENCY"], int(asked["AMOUNT"])
        if currency not in CURRENCIES:
            raise Refused("not a valid currency", "50001120")
        if currency not in self.account.currencies:
            raise Refused("The currency is not accepted by the merchant", "50001122")
        if not amount:
            raise Refused("amount is zero")
        if currency in WHOLE and amount % 100:
            raise Refused("too many decimals for the currency", "50001121")
        return amount

    def operation(self, asked, allowed):
        """OPERATION, the account's own when there is none; Refused."""
        operation = asked.get("OPERATION", self.account.operation)
        if operation not in allowed:
            raise Refused(f"operation {operation}", "50001007" if operation != "RFD" else "50001046")
        return operation

    def means(self, asked):
        """(PM, BRAND) that the form preselects, as the platform spells them; Refused."""
        method, brand = asked.get("PM", ""), asked.get("BRAND", "")
        known = {name.lower(): name for name in (*METHODS, *self.account.methods)}
        if method and method.lower() not in known:
            raise Refused(f"ERROR, PAYMENT METHOD NOT FOUND FOR: {method}")
        name = known.get(method.lower(), "")
        brands = {each.lower(): each for each in (*METHODS.get(name, ()), *([name] if name else []))}
        if name and brand and name in METHODS and brand.lower() not in brands:
            raise Refused(f"ERROR, PAYMENT METHOD NOT FOUND FOR: {method}/{brand}")
        return name, brands.get(brand.lower(), brand)


def is_card_number(text):
    """Whether the check digit (Luhn) fits."""
    if not re.fullmatch(r"\d{12,19}", text, re.ASCII):
        return False
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(text)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def masked(name, value):
    """A parameter as the journal keeps it."""
    if name in ("PSWD", "CVC", "TRACK2"):
        return "***"
    if name == "CARDNO" or (name not in ("ORDERID", "PAYID") and is_card_number(value)):
        return "*" * max(len(value) - 4, 0) + value[-4:]
    return value


# --- Time and books -------------------------------------------------------------------------------


class Clock:
    """The platform's time. It stands still until somebody moves it, or runs with the real one (``speed``)."""

    def __init__(self, speed=0.0):
        self.speed, self.now = speed, datetime.datetime.now().replace(microsecond=0)
        self.lock, self.events, self.numbers = threading.Lock(), [], itertools.count()

    def after(self, seconds, action):
        """Do something later."""
        with self.lock:
            due = self.now + datetime.timedelta(seconds=seconds)
            heapq.heappush(self.events, (due, next(self.numbers), action))

    def advance(self, seconds):
        """Let time pass; what falls due is done, in its order, by the caller's thread."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError("time passes forwards only")
        with self.lock:
            end = self.now + datetime.timedelta(seconds=seconds)
        while (action := self._next(end)) is not None:
            action()
        with self.lock:
            self.now = max(self.now, end)

    def _next(self, end):
        with self.lock:
            if not self.events or self.events[0][0] > end:
                return None
            due, _number, action = heapq.heappop(self.events)
            self.now = max(self.now, due)
            return action

    def clear(self):
        """Forget what was due."""
        with self.lock:
            self.events.clear()

    def run(self, ended):
        """Follow the real clock until ``ended`` is set."""
        before = time.monotonic()
        while not ended.wait(0.2):
            now = time.monotonic()
            self.advance((now - before) * self.speed)
            before = now


@dataclass
class Step:
    """One operation of an order: number 0 is the payment itself, others are its PAYIDSUB."""

    number: int
    kind: str  # "authorisation", "sale", "capture", "void", "refund", "renewal"
    amount: int
    status: str
    ncerror: str = "0"
    acceptance: str = ""
    origin: str = "page"
    closes: bool = False
    history: list = field(default_factory=list)

    def turn(self, status, ncerror="0"):
        """Change the status."""
        self.history.append(self.status)
        self.status, self.ncerror = status, ncerror


@dataclass
class Order:
    """One payment (one PAYID); amounts are a hundred times the value."""

    payid: str
    orderid: str
    environment: str
    amount: int
    currency: str
    operation: str
    fields: dict
    charset: str
    card: Card | None = None
    alias: str = ""
    cn: str = ""
    ed: str = ""
    eci: str = "7"
    ip: str = "127.0.0.1"
    closed: bool = False  # to captures and voids
    refund_closed: bool = False
    steps: list = field(default_factory=list)

    def __post_init__(self):
        kind = "sale" if self.operation == "SAL" else "authorisation"
        self.steps.append(Step(0, kind, self.amount, "0"))

    @property
    def first(self):
        """The payment itself."""
        return self.steps[0]

    @property
    def status(self):
        """The last state."""
        return self.steps[-1].status

    @property
    def taken(self):
        """Whether money was taken or reserved."""
        return self.first.status in TAKEN

    def total(self, kinds, statuses):
        """Sum of the amounts of some kinds of operations in some statuses."""
        return sum(step.amount for step in self.steps if step.kind in kinds and step.status in statuses)

    def sums(self):
        """What moved, by kind."""
        captures = ("sale", "capture")
        found = {
            "captured": self.total(captures, PAID | ({"5"} if self.first.kind == "sale" else set())),
            "capturing": self.total(captures, PAYING),
            "refunded": self.total(("refund",), {"8", "85"}),
            "refunding": self.total(("refund",), {"81", "82"}),
            "voided": self.total(("void",), VOID),
            "voiding": self.total(("void",), {"61", "62"}),
        }
        used = found["captured"] + found["capturing"] + found["voided"] + found["voiding"]
        reserved = self.first.kind == "authorisation" and self.first.status == "5" and not self.closed
        return {**found, "reserved": max(self.amount - used, 0) if reserved else 0}

    def add(self, kind, amount, status, origin):
        """Book an operation; returns its Step."""
        step = Step(len(self.steps), kind, amount, status, origin=origin)
        self.steps.append(step)
        return step

    def data(self):
        """As plain data, the card masked."""
        names = (
            "payid orderid environment amount currency operation alias cn closed refund_closed status".split()
        )
        card = self.card and {"brand": self.card.brand, "number": masked("CARDNO", self.card.number)}
        steps = [dataclasses.asdict(step) for step in self.steps]
        return {
            **{name: getattr(self, name) for name in names},
            "cn": masked("CN", self.cn),
            **self.sums(),
            "charged": self.taken,
            "card": card,
            "steps": steps,
        }


@dataclass
class Alias:
    """A stored card."""

    name: str
    card: Card
    cn: str = ""
    ed: str = ""
    state: str = "active"
    once: bool = False  # gone after its next use


class Books:
    """Everything the platform knows: orders, aliases, the error log, what was sent and received."""

    def __init__(self):
        self.lock = threading.RLock()
        self.numbers = random.Random()
        self.counter = self.numbers.randrange(10**7, 10**9)
        self.clear()

    def clear(self):
        """As on the first day; numbers go on."""
        with self.lock:
            self.orders, self.aliases, self.errors, self.journal = [], {}, [], []
            self.notifications, self.redirects, self.wrong_passwords = [], [], 0

    def next_payid(self):
        """A PAYID, larger than the last."""
        with self.lock:
            self.counter += self.numbers.randrange(1, 9)
            return str(self.counter)

    def find(self, environment, payid=None, orderid=None):
        """The order of a PAYID, or the last one of an order number; None."""
        for order in reversed(self.orders):
            if order.environment != environment:
                continue
            if payid is not None and order.payid == payid and orderid in (None, order.orderid):
                return order
            if payid is None and order.orderid == orderid:
                return order
        return None

    def of(self, orderid=None):
        """All orders with a number, oldest first."""
        return [order for order in self.orders if orderid in (None, order.orderid)]

    def require_free(self, environment, orderid, reuse, besides=None):
        """Refused when an order number was processed already."""
        free = {"refused": {"0", "1", "2"}, "open": {"0", "1", "2", "46"}, "never": {"0"}}[reuse]
        for order in reversed(self.of(orderid)):
            if order.environment == environment and order is not besides and order.status not in free:
                raise Refused("this order was processed already", "50001113", order.payid)

    def total(self, name, orderid=None):
        """One of :meth:`Order.sums` over the orders with a number."""
        return sum(order.sums()[name] for order in self.of(orderid))

    def data(self):
        """Everything, as plain data."""
        with self.lock:
            return copy.deepcopy(
                {
                    "orders": [order.data() for order in self.orders],
                    "charges": [order.data() for order in self.orders if order.taken],
                    "aliases": [
                        {**dataclasses.asdict(alias), "card": masked("CARDNO", alias.card.number)}
                        for alias in self.aliases.values()
                    ],
                    "notifications": self.notifications,
                    "redirects": self.redirects,
                    "errors": self.errors,
                }
            )


def value_of(amount, style="short"):
    """An amount as the platform writes it: 1500 is 15, or 15.00."""
    text = f"{Decimal(amount) / 100:.2f}"
    return text if style == "two" else re.sub(r"\.?0+$", "", text)


# --- Feedback -------------------------------------------------------------------------------------


@dataclass
class Reply:
    """What the shop answered: a status, or the name of what went wrong."""

    status: object
    kind: str = ""
    location: str = ""
    content: bytes = b""

    @property
    def delivered(self):
        """Whether the platform is content."""
        return isinstance(self.status, int) and 200 <= self.status < 400


class Feedback:
    """What the shop is told: composed, signed, sent, sent again."""

    def __init__(self, books, clock, account, settings):
        self.books, self.clock, self.account, self.settings = books, clock, account, settings

    # -- composing

    def values(self, order, step):
        """{NAME: value} of all that can be told."""
        card, settings = order.card, self.settings
        shown = card is not None and step.status != "1"
        brand = (card.brand if card.brand != "BCMC" else self.account.bancontact_brand) if shown else ""
        number = card.number if shown and card.method == "CreditCard" else ""
        return {
            "ORDERID": order.orderid,
            "CURRENCY": order.currency,
            "AMOUNT": value_of(step.amount, settings["amounts"]),
            "PM": card.method if shown else "",
            "ACCEPTANCE": step.acceptance,
            "STATUS": step.status,
            "CARDNO": number and settings["mask"] * (len(number) - 4) + number[-4:],
            "ALIAS": order.alias,
            "ED": order.ed if shown else "",
            "CN": order.cn,
            "TRXDATE": f"{self.clock.now:%m/%d/%y}",
            "PAYID": order.payid,
            "PAYIDSUB": str(step.number or ""),
            "NCERROR": step.ncerror,
            "BRAND": brand,
            "COMPLUS": order.fields.get("COMPLUS", ""),
            "IP": order.ip,
            "IPCTY": "99",
            "CCCTY": "FR" if number else "",
            "ECI": order.eci,
            "CVCCHECK": "NO",
            "AAVCHECK": "NO",
            "AAVADDRESS": "NO",
            "VC": "NO",
            "CREDITDEBIT": "CREDIT" if number else "",
            "SUBBRAND": "",
        }

    def pairs(self, order, step):
        """[(name, value)] with the signature, in the order in which they are sent."""
        known = {**self.values(order, step), **(self.settings["scoring"] or {}), **self.settings["override"]}
        picked = [*self.account.picked, *(self.settings["scoring"] or {}), *self.settings["override"]]
        told = [name for name in dict.fromkeys(picked) if known.get(name) is not None]
        told = [name for name in told if known[name] or name not in ("ALIAS", "COMPLUS", "PAYIDSUB")]
        pairs = [(self._spell(name), str(known[name])) for name in told]
        pairs += parse_qsl(order.fields.get("PARAMPLUS", ""), keep_blank_values=True)
        pairs += list(self.settings["extra"].items())
        return self._sign(pairs, len(told), self.settings["charset"] or order.charset)

    def _spell(self, name):
        style = self.settings["names"]
        if style == "odd":
            return "".join(letter.lower() if at % 2 else letter for at, letter in enumerate(name))
        return {"upper": name, "lower": name.lower()}.get(style, SPELLING.get(name, name))

    def _sign(self, pairs, told, charset):
        """The pairs with SHASIGN over the first ``told`` of them."""
        sign, account = self.settings["sign"], self.account
        if not account.sha_out or sign == "none":
            return pairs
        words = {"stranger": "Somebody-else-2026!", "swapped": account.sha_in}
        passphrase = words.get(sign, account.sha_out)
        signature = self._signature(pairs[:told], passphrase, charset)
        if sign == "wrong":
            signature = signature[::-1]
        if sign == "altered":
            other = {"9": "5"}
            pairs = [
                (name, other.get(value, "9") if name.upper() == "STATUS" else value) for name, value in pairs
            ]
        if sign == "lower":
            signature = signature.lower()
        at = {"first": 0, "middle": max(told - 1, 0)}.get(self.settings["place"], len(pairs))
        return [*pairs[:at], (self._spell("SHASIGN"), signature), *pairs[at:]]

    def _signature(self, pairs, passphrase, charset):
        algorithm = self.account.algorithm
        if self.account.composition == "main":
            return sign_legacy(pairs, passphrase, algorithm, charset)
        return OUT.sign(pairs, passphrase, algorithm, charset, self.settings["sha_order"])

    def query(self, order, step, plus=False):
        """The parameters on the wire."""
        charset, escape = self.settings["charset"] or order.charset, quote_plus if plus else quote
        coded = lambda text: escape(text.encode(charset, "xmlcharrefreplace"), safe="")  # noqa: E731
        return "&".join(f"{coded(name)}={coded(value)}" for name, value in self.pairs(order, step))

    def way_back(self, order, step):
        """The address that the browser is sent to; "" when the form named none."""
        names = ("ACCEPTURL",)
        if step.status in DECLINED:
            names = ("DECLINEURL",)
        elif step.status == "1":
            names = ("CANCELURL", "DECLINEURL")
        elif step.status in EXCEPTION:
            names = ("EXCEPTIONURL", "ACCEPTURL")
        address = next((order.fields[name] for name in names if name in order.fields), "")
        if address and self.account.redirect_parameters and self.account.sha_out:
            address = joined(address, self.query(order, step))
        return address

    # -- sending

    def message(self, order, step, channel=""):
        """A message about a step, stored; "" as channel: by the status."""
        channel = channel or ("declined" if step.status in DECLINED | {"1"} else "accepted")
        note = {
            "orderid": order.orderid,
            "payid": order.payid,
            "payidsub": step.number,
            "status": step.status,
            "channel": channel,
            "method": self.account.method,
            "query": self.query(order, step, plus=self.account.method == "POST"),
            "paramvar": order.fields.get("PARAMVAR", ""),
            "state": "stored",
            "answers": [],
        }
        with self.books.lock:
            self.books.notifications.append(note)
        return note

    def end_of_payment(self, order, step):
        """Tell the shop how a payment ended; returns the Reply that the customer may be shown, or None."""
        if self.account.feedback == "none":
            return None
        note = self.message(order, step)
        if not self._address(note) or not self.settings["deliver"]:
            return None
        if self.account.feedback == "deferred":
            self._later(note, self.settings["deferred_delay"], self.settings["retries"])
            return None
        if self.settings["when"] == "after":
            timer = threading.Timer(self.settings["after_seconds"], self._online, (note,))
            timer.daemon = True
            timer.start()
            return None
        return self._online(note)

    def change_of_status(self, order, step):
        """Tell the shop that a status changed, at the address for that, if there is one."""
        if not self.account.status_url or self.account.feedback == "none":
            return
        note = self.message(order, step, "status")
        if self.settings["deliver"]:
            self._deferred(note, self.settings["retries"])

    def _online(self, note):
        reply = self.send(note, self.settings["copies"], self.settings["parallel"])
        if not reply.delivered and self.account.feedback == "both":
            self._later(note, 60 * self.settings["retry_minutes"], self.settings["retries"] - 1)
        return reply

    def _later(self, note, seconds, left):
        note["state"] = "waiting"
        self.clock.after(seconds, lambda: self._deferred(note, left))

    def _deferred(self, note, left):
        reply = self.send(note, self.settings["copies"], self.settings["parallel"])
        if reply.delivered:
            return
        if left > 0:
            self._later(note, 60 * self.settings["retry_minutes"], left - 1)
        else:
            note["state"] = "given up"
            self._log(note, f"feedback failed: {reply.status}")

    def _log(self, note, text):
        with self.books.lock:
            self.books.errors.append({"at": str(self.clock.now), "orderid": note["orderid"], "text": text})

    def _address(self, note):
        """The back office's address of a message, as it is set now."""
        account = self.account
        address = {"declined": account.declined_url, "status": account.status_url}.get(note["channel"], "")
        address = address or (account.accepted_url if note["channel"] != "status" else "")
        return address.replace("<PARAMVAR>", quote(note["paramvar"], safe=""))

    def send(self, note, copies=1, parallel=False):
        """Send a stored message so often; returns the first Reply."""
        replies = []
        if not parallel:
            replies = [self._call(note) for _copy in range(copies)]
        else:
            work = [threading.Thread(target=lambda: replies.append(self._call(note))) for _ in range(copies)]
            for thread in work:
                thread.start()
            for thread in work:
                thread.join()
        return replies[0]

    def _call(self, note):
        address = self._address(note)
        try:
            reply = fetch(note["method"], address, note["query"], self.settings["timeout"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            reply = Reply(type(error).__name__)
        with self.books.lock:
            note["answers"].append(reply.status)
            note["address"] = address
            note["state"] = "delivered" if reply.delivered else "failed"
        return reply


def joined(address, query):
    """An address with more parameters behind it."""
    return f"{address}{'&' if '?' in address else '?'}{query}"


def fetch(method, address, query, seconds):
    """Call the shop; the Reply, or an exception when it takes longer than some seconds."""
    parts, deadline = urlsplit(address), time.monotonic() + seconds
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with contextlib.closing(kind(parts.netloc, timeout=seconds)) as connection:
        if method == "POST":
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, query.encode("ascii"), headers)
        else:
            connection.request("GET", joined(path, query))
        answer, content = connection.getresponse(), b""
        while (part := answer.read1(65536)) and len(content) < MAX_BODY:
            content += part
            if time.monotonic() > deadline:
                raise TimeoutError("the shop is too slow")
        kind, location = answer.headers.get("Content-Type", ""), answer.headers.get("Location", "")
        return Reply(answer.status, kind, location, content)


class Settlement:
    """What becomes of pending statuses, by the clock or by hand."""

    def __init__(self, books, clock, feedback, settings):
        self.books, self.clock, self.feedback, self.settings = books, clock, feedback, settings

    def await_end(self, order, step):
        """Let a pending step change when its time has come."""
        status = step.status
        if status in PENDING:
            seconds = 60 * self.settings["settle_minutes"]
            self.clock.after(seconds, lambda: step.status == status and self.settle_step(order, step))

    def settle_step(self, order, step, status=None):
        """Give a step its end and tell the shop."""
        with self.books.lock:
            target = status if status is not None else self.target(step)
            if target is None or target == step.status:
                return
            step.turn(target, {"2": "30051001", "93": "30051001", "83": "30051001"}.get(target, "0"))
            if target in TAKEN and not step.acceptance:
                step.acceptance = "test123"
            if target[1:] == "3" and step.closes:  # refused: the order is open again
                name = "refund_closed" if step.kind == "refund" else "closed"
                setattr(order, name, False)
        self.feedback.change_of_status(order, step)

    def target(self, step):
        """What a status becomes by itself; None: nothing."""
        target = self.settings["settle"].get(step.status)
        return "9" if (step.status, step.kind, target) == ("51", "sale", "5") else target

    def settle(self, orderid=None, payidsub=None, status=None):
        """Give the pending steps of an order (or of all), or one step, an end now; returns how many."""
        known = [(order, step) for order in self.books.of(orderid) for step in order.steps]
        found = [pair for pair in known if pair[1].status in {*PENDING, "52", "92", "62", "82"}]
        if payidsub is not None:
            found = [pair for pair in known if pair[1].number == int(payidsub)]
        elif status is not None and not found:
            found = known[-1:]
        if not found:
            raise ValueError(f"nothing to settle for {orderid}")
        for order, step in found:
            self.settle_step(order, step, status)
        return len(found)


# --- The payment page -----------------------------------------------------------------------------


@dataclass
class Ending:
    """What the customer's browser gets at the end: "redirect", "html", "text", "standard" or "left"."""

    kind: str
    address: str | None = None
    content: str = ""


@dataclass
class Visit:
    """A customer on the page (or, for DirectLink, sent to identify)."""

    token: str
    order: Order
    language: str
    means: tuple = ("", "")
    direct: bool = False
    attempts: int = 0
    over: bool = False
    identifying: bool = False
    consent: bool = False
    ncerror: str = ""
    ending: Ending | None = None

    @property
    def french(self):
        """Whether the page is in French."""
        return self.language.startswith("fr")


class Checkout:
    """The hosted page without its HTML: what is let in, what the customer does, what comes of it."""

    def __init__(self, platform):
        self.books, self.account, self.settings = platform.books, platform.account, platform.settings
        self.feedback, self.settlement = platform.feedback, platform.settlement
        self.rules, self.visits = Rules(self.account), {}

    # -- arrival

    def visit(self, body, charset="utf-8", environment="test", referrer="", ip="127.0.0.1"):
        """The Visit that a form's body opens; Refused."""
        asked = read_parameters(body, charset)
        if asked.get("PSPID") != self.account.pspid:
            raise Refused("PSPID not found or not active" if "PSPID" in asked else " no pspid", "50001118")
        self._check_referrer(referrer)
        check_signature(asked, self.account.sha_in, self.account.algorithm, charset)
        self.rules.check(asked, ("ORDERID", "AMOUNT", "CURRENCY", "LANGUAGE"))
        amount, means = self.rules.amount(asked), self.rules.means(asked)
        operation = self.rules.operation(asked, ("RES", "SAL", "PAU"))
        if "ALIAS" in asked and "ALIASUSAGE" not in asked and self.account.alias_manager:
            raise Refused(" no aliasusage")
        with self.books.lock:
            self.books.require_free(environment, asked["ORDERID"], self.settings["reuse"])
            order = Order(
                "", asked["ORDERID"], environment, amount, asked["CURRENCY"], operation, {}, charset
            )
            order = self._take_up(order)
            order.fields, order.ip, order.cn = asked, ip, asked.get("CN", "")
        return self.open(order, asked["LANGUAGE"], means)

    def _check_referrer(self, referrer):
        if self.account.referrers and not referrer.startswith(tuple(self.account.referrers)):
            raise Refused(f"unknown order/{1 if referrer else 0}/r")

    def _take_up(self, order):
        """The order that the same form opened before and nobody paid, else a new one."""
        known = self.books.find(order.environment, orderid=order.orderid)
        same = lambda each: (each.amount, each.currency, each.operation, each.charset)  # noqa: E731
        if known and known.status == "0" and same(known) == same(order):
            return known
        order.payid = self.books.next_payid()
        self.books.orders.append(order)
        return order

    def open(self, order, language, means=("", ""), direct=False):
        """A new Visit."""
        visit = Visit(secrets.token_hex(16), order, language, means, direct, identifying=direct)
        with self.books.lock:
            self.visits[visit.token] = visit
        return visit

    # -- what the customer does

    def attempt(self, visit, choice, card="4111111111111111", consent=False, cn=None):
        """Let the customer try: "ok", a NCERROR, a status, "cancel" or "abandon"; see Simulator.attempt."""
        if visit.over or self._is_processed(visit):
            return visit.ending.address
        if choice == "abandon":
            visit.ending = Ending("left")
            return None
        if choice == "cancel":
            return self._end(visit, "1", "")
        self._choose(visit, card, consent, cn)
        if choice == "ok" and visit.order.card.kind == "3ds":
            visit.identifying = True
            visit.order.first.turn("46")
            return None
        return self._conclude(visit, choice)

    def identify(self, visit, succeeded):
        """The end of the 3-D Secure page; returns as attempt."""
        if visit.over or not visit.identifying or self._is_processed(visit):
            return visit.ending.address if visit.ending else None
        visit.identifying = False
        return self._conclude(visit, "ok" if succeeded else "40001134")

    def _choose(self, visit, card, consent, cn):
        order, stored = visit.order, self.stored(visit)
        if card == "alias" and not stored:
            raise ValueError("there is no stored card")
        order.ed = stored.ed if card == "alias" else f"12{self.feedback.clock.now.year % 100 + 2:02d}"
        order.card = stored.card if card == "alias" else means_named(card)
        visit.consent = consent or card == "alias"
        order.cn = cn if cn is not None else order.cn or (stored.cn if card == "alias" else "")

    def stored(self, visit):
        """The customer's Alias that can be paid with, or None."""
        alias = self.books.aliases.get(visit.order.fields.get("ALIAS"))
        usable = alias and self.account.alias_manager and alias.state == "active"
        return alias if usable else None

    def _is_processed(self, visit):
        """Whether the order was paid meanwhile, in another window or with another PAYID."""
        order, reuse = visit.order, self.settings["reuse"]
        with self.books.lock:
            try:
                if order.status not in ("0", "1", "2", "46"):
                    raise Refused("paid in another window", "50001113", order.payid)
                reuse = "refused" if reuse == "never" else reuse
                self.books.require_free(order.environment, order.orderid, reuse, besides=order)
            except Refused as error:
                visit.over, visit.ncerror, visit.ending = True, error.ncerror, Ending("standard")
                return True
        return False

    def _conclude(self, visit, choice):
        """Book what the bank says; the Ending's address, None while the customer stays."""
        status, ncerror = outcome(choice, visit.order, self.settings["sale"])
        if status == "2" and not visit.direct:
            visit.attempts, visit.ncerror = visit.attempts + 1, ncerror
            if visit.attempts < ATTEMPTS:
                visit.order.first.turn("2", ncerror)
                if self.settings["report_refusals"]:
                    self.feedback.end_of_payment(visit.order, visit.order.first)
                return None
        return self._end(visit, status, ncerror)

    def _end(self, visit, status, ncerror):
        order = visit.order
        with self.books.lock:
            if visit.over or self._is_processed(visit):  # two clicks or two windows at once
                return visit.ending.address
            visit.over, visit.ending = True, Ending("standard")
            order.first.turn(status, ncerror)
            order.first.acceptance = "test123" if status in TAKEN else ""
            self._store_alias(visit, status)
        self.settlement.await_end(order, order.first)
        reply = self.feedback.end_of_payment(order, order.first)
        visit.ending = self._ending(order, reply)
        return visit.ending.address

    def _store_alias(self, visit, status):
        """Keep the card when the customer agreed; a refused one is kept as unusable."""
        order, fields = visit.order, visit.order.fields
        wanted = "ALIAS" in fields or fields.get("ALIASOPERATION", "").upper() in ("BYPSP", "BYOGONE")
        if not (wanted and visit.consent and self.account.alias_manager and order.card) or visit.direct:
            return
        name = fields.get("ALIAS") or secrets.token_hex(16).upper()
        if status not in TAKEN | DECLINED:
            return
        order.alias, once = name, fields.get("ALIASPERSISTEDAFTERUSE") == "N"
        if status in TAKEN:
            self.books.aliases[name] = Alias(name, order.card, order.cn, order.ed, once=once)
        else:  # a card that was stored before stays as it was
            self.books.aliases.setdefault(name, Alias(name, order.card, order.cn, order.ed, "error", once))

    def _ending(self, order, reply):
        """The shop's answer to an online request comes before the addresses of the form."""
        if reply is not None and reply.delivered and self.settings["when"] == "before":
            text = reply.content.decode("utf-8", "replace")
            if 300 <= reply.status < 400 and reply.location:
                return Ending("redirect", reply.location)
            if "<html" in text.lower():
                return Ending("html", content=text)
            if text.strip() and self.settings["text_reply"] == "page":
                return Ending("text", content=text)
        address = self.feedback.way_back(order, order.first)
        with self.books.lock:
            self.books.redirects.append({"orderid": order.orderid, "address": address})
        return Ending("redirect", address) if address else Ending("standard")


def means_named(name):
    """The Card of a test number, or another means of payment ("PM:iDEAL"); ValueError."""
    if name in CARDS:
        return CARDS[name]
    if name.startswith("PM:"):
        return Card("", name[3:], method=name[3:])
    raise ValueError("no card of the test platform")


def outcome(choice, order, sale):
    """(status, NCERROR) of what was chosen: "ok", a NCERROR of a refusal, or a status."""
    card, selling = order.card, order.operation == "SAL"
    if choice == "ok" and card.kind == "uncertain":
        return ("92" if selling else "52"), "20001001"
    if choice == "ok" and card.kind.isdigit():
        return "2", card.kind
    if choice == "ok" and card.method == "Bank transfer":
        return "41", "0"
    if choice == "ok":  # TWINT reserves only, whatever is asked, and pays all the same
        return (sale if selling and card.method != "TWINT" else "5"), "0"
    if re.fullmatch(r"\d{8}", choice):
        return "2", choice
    if choice in ACCEPTED | EXCEPTION | {"93"}:
        return choice, {"52": "20001001", "92": "20001001", "93": "30051001"}.get(choice, "0")
    raise ValueError(f"unknown choice {choice}")


# --- DirectLink -----------------------------------------------------------------------------------

MAINTENANCE = {  # operation -> kind, closes the order, statuses by outcome
    "SAL": ("capture", False),
    "SAS": ("capture", True),
    "DEL": ("void", False),
    "DES": ("void", True),
    "RFD": ("refund", False),
    "RFS": ("refund", True),
    "REN": ("renewal", False),
}
TURNS = {
    "capture": {"pending": "91", "final": "9", "uncertain": "92", "refused": "93"},
    "void": {"pending": "61", "final": "6", "uncertain": "62", "refused": "63"},
    "refund": {"pending": "81", "final": "8", "uncertain": "82", "refused": "83"},
    "renewal": {"pending": "51", "final": "5", "uncertain": "52", "refused": "2"},
}


class Maintenance:
    """Captures, voids and refunds of an order, and when they are refused."""

    def __init__(self, platform):
        self.books, self.settlement = platform.books, platform.settlement
        self.feedback, self.settings = platform.feedback, platform.settings

    def carry_out(self, order, operation, amount, turn="pending", origin="direct"):
        """Book one; returns its Step; Refused. Call it with the books' lock held."""
        if operation not in MAINTENANCE:
            raise Refused(f"operation {operation}", "50001007")
        kind, closes = MAINTENANCE[operation]
        amount = getattr(self, f"_check_{kind}")(order, amount)
        if operation == "DES":
            amount = order.sums()["reserved"]
        status = TURNS[kind].get(turn, turn)
        if kind == "renewal" and turn == "pending":
            status = "5"
        step = order.add(kind, amount, status, origin)
        if status in {"93", "63", "83", "2"}:
            step.ncerror = "30051001"
        elif closes:
            step.closes = True
            self._close(order, kind)
        return step

    def _close(self, order, kind):
        if kind == "refund":
            order.refund_closed = True
        else:
            order.closed = True

    def begin(self, order, step):
        """Let its time run, and tell the shop that it began, if it wants to know. Without the lock."""
        self.settlement.await_end(order, step)
        if self.settings["report_changes"]:
            self.feedback.change_of_status(order, step)

    def _check_capture(self, order, amount):
        if order.first.kind != "authorisation" or order.first.status != "5" or order.closed:
            raise self._wrong_state(order)
        sums = order.sums()
        if not sums["reserved"]:
            raise Refused("overflow in captures", "50001126", order.payid)
        amount = sums["reserved"] if amount is None else amount
        if amount > sums["reserved"]:
            raise Refused("overflow in captures", "50001126", order.payid)
        return amount

    def _check_void(self, order, amount):
        reserved = order.sums()["reserved"]
        if not reserved:
            raise self._wrong_state(order)
        if amount is not None and amount > reserved:
            raise Refused("overflow in voids", "50001126", order.payid)
        return reserved if amount is None else amount

    def _check_refund(self, order, amount):
        sums = order.sums()
        if order.refund_closed:
            raise self._wrong_state(order)
        if sums["capturing"]:
            status = order.status if order.status in PAYING else "91"
            raise Refused(f"the payment is in a wrong status ({status})", "50001127", order.payid)
        if not sums["captured"]:
            raise self._wrong_state(order)
        left = sums["captured"] - sums["refunded"] - sums["refunding"]
        if not left or (amount or 0) > left:
            raise Refused("overflow in refunds", "50001129", order.payid)
        return left if amount is None else amount

    def _check_renewal(self, order, amount):
        if order.first.kind != "authorisation" or order.first.status not in ("5", "52") or order.closed:
            raise self._wrong_state(order)
        return order.amount if amount is None else amount

    def _wrong_state(self, order):
        return Refused(f"the order is not in the right status ({order.status})", "50001127", order.payid)


class DirectLink:
    """Answers of the three DirectLink pages, before they become XML."""

    def __init__(self, platform):
        self.platform, self.books, self.account = platform, platform.books, platform.account
        self.settings, self.rules = platform.settings, Rules(platform.account)
        self.maintenance, self.checkout = platform.maintenance, platform.checkout
        self.scripts = {"order": [], "maintenance": [], "query": []}

    def answer(self, endpoint, environment, charset, body, ip="127.0.0.1"):
        """(attributes of the answer, HTML_ANSWER or ""). What is asked is carried out."""
        asked = {}
        try:
            asked.update(read_parameters(body, charset))
            self._let_in(asked, endpoint, charset, ip)
            return getattr(self, f"_{endpoint}")(asked, environment, charset)
        except Refused as error:
            return self._failure(asked, error), ""

    def script(self, endpoint, outcome):
        """Say what becomes of the next request that is carried out; ValueError."""
        known = {
            "order": r"ok|3ds|soft|\d{8}|" + "|".join(ACCEPTED | EXCEPTION | {"93"}),
            "maintenance": r"pending|final|uncertain|refused|\d{1,2}",
            "query": "88",
        }
        if not re.fullmatch(known.get(endpoint, "(?!)"), str(outcome)):
            raise ValueError(f"unknown outcome {endpoint} {outcome}")
        self.scripts[endpoint].append(str(outcome))

    def _scripted(self, endpoint, default):
        return self.scripts[endpoint].pop(0) if self.scripts[endpoint] else default

    # -- who asks

    def _let_in(self, asked, endpoint, charset, ip):
        for name in ("PSPID", "USERID", "PSWD"):
            if name not in asked:
                raise Refused(f" no {name.lower()}")
        if asked["PSPID"] != self.account.pspid or not self.account.directlink:
            raise Refused("unknown merchant, or DirectLink is not active", "50001118")
        if self.account.allowed_ips and ip not in self.account.allowed_ips:
            raise Refused(f"unknown order/1/i/{ip}", "50001116")
        self._check_password(asked)
        passphrase = self.account.sha_in_directlink
        passphrase = self.account.sha_in if passphrase is None else passphrase
        if endpoint != "query" or "SHASIGN" in asked or self.account.query_sha == "required":
            check_signature(asked, passphrase, self.account.algorithm, charset)

    def _check_password(self, asked):
        with self.books.lock:
            right = (asked["USERID"], asked["PSWD"]) == (self.account.userid, self.account.password)
            blocked = self.books.wrong_passwords >= MAX_PASSWORDS
            if right and not blocked:
                self.books.wrong_passwords = 0
                return
            self.books.wrong_passwords += 1
        raise Refused("password wrong or blocked", "50001119")

    # -- orderdirect

    def _order(self, asked, environment, charset):
        self.rules.check(asked, ("ORDERID", "AMOUNT", "CURRENCY"))
        amount = self.rules.amount(asked)
        operation = self.rules.operation(asked, ("RES", "SAL", "PAU"))
        self._check_options(asked)
        with self.books.lock:
            self.books.require_free(environment, asked["ORDERID"], self.settings["reuse"])
            order = Order(
                "", asked["ORDERID"], environment, amount, asked["CURRENCY"], operation, {}, charset
            )
            order.eci, order.ip = asked.get("ECI", "7"), asked.get("REMOTE_ADDR", "127.0.0.1")
            order.fields = {
                name: value for name, value in asked.items() if name not in ("PSWD", "CVC", "CARDNO")
            }
            choice = self._pay(order, asked)
            order.payid = self.books.next_payid()
            self.books.orders.append(order)
            self._book(order, choice)
            self._keep_alias(order, asked)
        if order.status == "46":
            visit = self.checkout.open(order, asked.get("LANGUAGE", "en_US"), direct=True)
            return self._success(order, order.first), self.platform.identification_form(visit)
        self.platform.settlement.await_end(order, order.first)
        return self._success(order, order.first), ""

    def _check_options(self, asked):
        if asked.get("ECI", "7") not in ("1", "2", "3", "4", "7", "9"):
            raise Refused("ECI is not valid")
        timeout = asked.get("RTIMEOUT", "30")
        if not re.fullmatch(r"\d{2}", timeout, re.ASCII) or not 30 <= int(timeout) <= 90:
            raise Refused("RTIMEOUT is not valid")
        if asked.get("FLAG3D", "N") not in ("Y", "N"):
            raise Refused("FLAG3D is not valid")
        for name in "HTTP_ACCEPT HTTP_USER_AGENT ACCEPTURL DECLINEURL EXCEPTIONURL LANGUAGE".split():
            if asked.get("FLAG3D") == "Y" and name not in asked:
                raise Refused(f" no {name.lower()}")

    def _pay(self, order, asked):
        """Give the order its card; returns what the bank will say by itself."""
        if "CARDNO" in asked:
            return self._pay_with_number(order, asked)
        if "ALIAS" not in asked:
            raise Refused(" no cardno")
        alias = self.books.aliases.get(asked["ALIAS"])
        if alias is None or not self.account.alias_manager:
            raise Refused(f'Alias "{asked["ALIAS"]}" not Found')
        if alias.state != "active":
            raise Refused(f'Alias "{alias.name}" is not active')
        order.card, order.alias, order.ed = alias.card, alias.name, alias.ed
        order.cn = asked.get("CN", alias.cn)
        return "30331001" if alias.card.kind == "expires" else "ok"

    def _pay_with_number(self, order, asked):
        number = re.sub(r"[ -]", "", asked["CARDNO"])
        if not is_card_number(number):
            raise Refused("card number", "50001054")
        match = re.fullmatch(r"(0[1-9]|1[0-2])/?(\d\d)", asked.get("ED", ""), re.ASCII)
        now = self.platform.clock.now
        if not match or (2000 + int(match[2]), int(match[1])) < (now.year, now.month):
            raise Refused("expiry date", "50001005")
        if asked.get("ALIAS") == number:
            raise Refused("the alias is the card number", "50001216")
        order.card = CARDS.get(number, Card(number, "VISA", "30141001"))
        order.ed, order.cn = "".join(match.groups()), asked.get("CN", "")
        return "ok"

    def _book(self, order, choice):
        """Say what becomes of a new order: script first, then alias and card."""
        choice = self._scripted("order", choice)
        if choice == "ok" and order.card.kind == "3ds":
            choice = "3ds"
        if choice == "3ds":
            choice = "46" if order.fields.get("FLAG3D") == "Y" else "soft"
        if choice == "46":
            order.first.turn("46")
            return
        status, ncerror = outcome("50001087" if choice == "soft" else choice, order, self.settings["sale"])
        order.first.turn(status, ncerror)
        order.first.origin = "direct"
        order.first.acceptance = "test123" if status in TAKEN else ""

    def _keep_alias(self, order, asked):
        """Store a new alias of a number that was accepted; forget one that was for one use."""
        alias = self.books.aliases.get(asked.get("ALIAS"))
        if "CARDNO" in asked and "ALIAS" in asked and self.account.alias_manager:
            if order.taken or order.status == "46":
                order.alias = asked["ALIAS"]
                self.books.aliases[order.alias] = Alias(order.alias, order.card, order.cn, order.ed)
        elif alias and (alias.once or asked.get("ALIASPERSISTEDAFTERUSE") == "N"):
            del self.books.aliases[alias.name]

    # -- maintenancedirect and querydirect

    def _maintenance(self, asked, environment, _charset):
        self.rules.check(asked, ("OPERATION",))
        with self.books.lock:
            order = self._find(asked, environment)
            amount = None
            if "AMOUNT" in asked:
                amount = self.rules.amount({**asked, "CURRENCY": asked.get("CURRENCY", order.currency)})
            if asked.get("CURRENCY", order.currency) != order.currency:
                raise Refused("another currency", "50001120", order.payid)
            turn = self.scripts["maintenance"][0] if self.scripts["maintenance"] else "pending"
            step = self.maintenance.carry_out(order, asked["OPERATION"], amount, turn)
            self._scripted("maintenance", turn)
            answer = self._success(order, step)
        self.maintenance.begin(order, step)
        return answer, ""

    def _query(self, asked, environment, _charset):
        with self.books.lock:
            order = self._find(asked, environment, status="88")
            if self._scripted("query", "") == "88":
                raise Refused("query failed", "50001130", order.payid, "88")
            step = order.steps[-1]
            if "PAYIDSUB" in asked:
                steps = {str(each.number): each for each in order.steps}
                if asked["PAYIDSUB"] not in steps:
                    raise Refused("unknown history item", "50001131", order.payid, "88")
                step = steps[asked["PAYIDSUB"]]
            values = self.platform.feedback.values(order, step)
            return {**self._success(order, step), "CARDNO": values["CARDNO"], "IP": order.ip}, ""

    def _find(self, asked, environment, status="0"):
        if "PAYID" not in asked and "ORDERID" not in asked:
            raise Refused(" no orderid", status=status)
        order = self.books.find(environment, asked.get("PAYID"), asked.get("ORDERID"))
        if order is None:
            raise Refused(f"unknown order for {self.account.pspid}", "50001130", status=status)
        return order

    # -- what is answered

    def _success(self, order, step):
        known = self.platform.feedback.values(order, step)
        plus = MEANINGS.get(step.ncerror, "!" if step.ncerror in ("0", "") else "refused")
        return {
            "orderID": order.orderid,
            "PAYID": order.payid,
            **({"PAYIDSUB": str(step.number)} if step.number else {}),
            "NCSTATUS": step.ncerror[:1] or "0",
            "NCERROR": step.ncerror or "0",
            "NCERRORPLUS": plus,
            "ACCEPTANCE": step.acceptance,
            "STATUS": step.status,
            "IPCTY": known["IPCTY"],
            "CCCTY": known["CCCTY"],
            "ECI": order.eci,
            "CVCCheck": known["CVCCHECK"],
            "AAVCheck": known["AAVCHECK"],
            "VC": known["VC"],
            "amount": known["AMOUNT"],
            "currency": order.currency,
            "PM": known["PM"],
            "BRAND": known["BRAND"],
            **({"ALIAS": order.alias} if order.alias else {}),
            **(self.settings["scoring"] or {}),
        }

    def _failure(self, asked, error):
        return {
            "orderID": asked.get("ORDERID", ""),
            "PAYID": error.payid,
            "NCSTATUS": error.ncerror[:1],
            "NCERROR": error.ncerror,
            "NCERRORPLUS": str(error),
            "ACCEPTANCE": "",
            "STATUS": error.status,
            "amount": "",
            "currency": asked.get("CURRENCY", ""),
        }


MINIMAL = ("orderID", "PAYID", "NCERROR", "STATUS", "NCERRORPLUS")


def render(attributes, html_answer="", only=None):
    """The XML of an answer, in the charset that it declares."""
    written = "".join(
        f' {name}="{html.escape(value)}"' for name, value in attributes.items() if not only or name in only
    )
    inside = f"\n<HTML_ANSWER>{html_answer}</HTML_ANSWER>\n" if html_answer else ""
    text = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<ncresponse{written}>{inside}</ncresponse>\n'
    return text.encode("iso-8859-1", "xmlcharrefreplace")


# --- Faults ---------------------------------------------------------------------------------------

KINDS = (
    "latency",
    "drop",
    "html",
    "server_error",
    "garbage",
    "oversize",
    "drip",
    "truncated",
    "accents",
    "minimal",
    "blank_status",
    "format_check",
)
POINTS = ("order", "maintenance", "query", "page")
DOWN = b"<html><head><title>Maintenance</title></head><body>Service interrompu / unavailable</body></html>"
FORMAT_CHECK = (
    b'<?xml version="1.0"?><ncresponse><FORMAT_CHECK><FORMAT_CHECK_ERROR><ERROR/><NCERROR>50001111</NCERROR>'
    b"<ERROR>format</ERROR></FORMAT_CHECK_ERROR></FORMAT_CHECK></ncresponse>"
)


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests of an endpoint."""

    endpoint: str
    kind: str
    times: int = 1
    booked: bool = True  # what was asked is carried out
    seconds: float = 1.0
    status: int = 503
    size: int = 8 << 20

    def __post_init__(self):
        if self.kind in ("drop_before", "drop_after"):
            self.kind, self.booked = "drop", self.kind == "drop_after"
        if self.endpoint not in POINTS or self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.endpoint} {self.kind}")
        if self.kind == "format_check":
            self.booked = False

    def disturb(self, attributes, html_answer, only):
        """(HTTP status, content type, bytes) instead of the right answer; None: the connection is closed."""
        good = render(attributes, html_answer, only)
        if self.kind == "drop":
            return None
        if self.kind == "html":
            return 200, "text/html", DOWN
        if self.kind == "server_error":
            return self.status, "text/html", DOWN
        content = {
            "garbage": b"\x00\xff\xfe<ncresponse STATUS=9 PAYID='",
            "oversize": good + b"<!--" + b" " * self.size + b"-->",
            "truncated": good[: len(good) * 2 // 3],
            "minimal": render(attributes, html_answer, MINIMAL),
            "blank_status": render({**attributes, "STATUS": "", "PAYID": ""}, html_answer, only),
            "accents": render({**attributes, "NCERRORPLUS": "Réponse de la banque : dépôt à vérifier, été"}),
            "format_check": FORMAT_CHECK,
        }.get(self.kind, good)
        return 200, "text/xml", content


class Faults:
    """The faults that are due."""

    def __init__(self):
        self.lock, self.due = threading.Lock(), []

    def add(self, endpoint, kind, **options):
        """One more; ValueError for one that does not exist."""
        fault = Fault(endpoint, kind, **options)
        with self.lock:
            self.due.append(fault)

    def take(self, endpoint):
        """The Fault of this request, or None."""
        with self.lock:
            for fault in self.due:
                if fault.endpoint == endpoint:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.due.remove(fault)
                    return fault
        return None

    def clear(self):
        """None any more."""
        with self.lock:
            self.due.clear()


# --- The platform ---------------------------------------------------------------------------------


class Simulator:
    """The platform on one port; 0 is a free one. More keywords are fields of :class:`Account`.

    Attributes: account, settings, books (see Books), clock, errors, orders, aliases, notifications,
    redirects, requests (the journal, masked).
    """

    def __init__(self, host="127.0.0.1", port=0, speed=0.0, **account):
        self.account, self.settings = Account(), {}
        self.account.change(account)
        self.first_account = dataclasses.replace(self.account)
        self.books, self.clock, self.faults = Books(), Clock(speed), Faults()
        parts = (self.books, self.clock)
        self.feedback = Feedback(*parts, self.account, self.settings)
        self.settlement = Settlement(*parts, self.feedback, self.settings)
        self.maintenance, self.checkout = Maintenance(self), Checkout(self)
        self.directlink = DirectLink(self)
        self.ended = threading.Event()
        self.reset()
        self.server = _Server((host, port), self)
        self.threads = []

    # -- life

    @property
    def url(self):
        """Address of the host; pages are below /ncol/test/ and /ncol/prod/."""
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}"

    def start(self):
        """Serve. Returns itself."""
        work = [(self.server.serve_forever, (0.05,))]
        if self.clock.speed:
            work.append((self.clock.run, (self.ended,)))
        for target, arguments in work:
            thread = threading.Thread(target=target, args=arguments, daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def stop(self):
        """End it."""
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    def reset(self, account=False):
        """As on the first day; numbers go on. ``account``: what configure() changed too."""
        with self.books.lock:
            self.settings.clear()
            self.settings.update(copy.deepcopy(DEFAULTS))
            self.books.clear()
            self.faults.clear()
            self.clock.clear()
            self.checkout.visits.clear()
            for waiting in self.directlink.scripts.values():
                waiting.clear()
            if account:
                self.account.change(vars(self.first_account))

    def set(self, **settings):
        """Change how it behaves; see the table above."""
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)}")
        if "settle" in settings:
            settings["settle"] = {**self.settings["settle"], **settings["settle"]}
        with self.books.lock:
            self.settings.update(settings)

    def configure(self, **account):
        """Change the contract and the back office; stays over :meth:`reset`."""
        with self.books.lock:
            self.account.change(account)

    # -- what a test looks at

    @property
    def errors(self):
        """The error log of the back office."""
        return self.books.errors

    @property
    def orders(self):
        """All orders, oldest first."""
        return self.books.orders

    @property
    def aliases(self):
        """{name: Alias}."""
        return self.books.aliases

    @property
    def notifications(self):
        """Messages to the shop, oldest first; ``query`` is what was sent."""
        return self.books.notifications

    @property
    def redirects(self):
        """Where browsers were sent, oldest first."""
        return self.books.redirects

    @property
    def requests(self):
        """What was received, secrets masked."""
        return self.books.journal

    def order(self, orderid):
        """The last Order with a number."""
        return self.books.of(orderid)[-1]

    def count_charges(self, orderid=None):
        """How often money was taken or reserved."""
        return sum(order.taken for order in self.books.of(orderid))

    def captured(self, orderid=None):
        """What was taken, a hundred times the value; what is still 91 does not count."""
        return self.books.total("captured", orderid)

    def refunded(self, orderid=None):
        """What was given back (8)."""
        return self.books.total("refunded", orderid)

    def voided(self, orderid=None):
        """What was released (6)."""
        return self.books.total("voided", orderid)

    def count_requests(self, endpoint, orderid=None):
        """How many requests an endpoint ("order", "query", "maintenance", "page") got."""
        return sum(
            entry["endpoint"] == endpoint and orderid in (None, entry["parameters"].get("ORDERID"))
            for entry in list(self.books.journal)
        )

    # -- the page

    def open(self, fields, charset="utf-8", environment="test"):
        """A Visit of the page with form fields ([(name, value)]), as a browser would post them; Refused."""
        body = "&".join(
            f"{quote_plus(name)}={quote_plus(value.encode(charset, 'xmlcharrefreplace'))}"
            for name, value in fields
        )
        return self.visit(body.encode(), charset, environment)

    def visit(self, body, charset="utf-8", environment="test", referrer="", ip="127.0.0.1"):
        """The Visit that a POST body opens; Refused (which the error log tells)."""
        try:
            return self.checkout.visit(body, charset, environment, referrer, ip)
        except Refused as error:
            asked = {}
            with contextlib.suppress(Refused):
                asked = read_parameters(body, charset)
            self.log_error(error, asked.get("ORDERID", ""))
            raise

    def log_error(self, error, orderid):
        """Write a line into the error log."""
        line = {"at": str(self.clock.now), "orderid": orderid, "text": str(error).strip()}
        with self.books.lock:
            self.books.errors.append({**line, "ncerror": error.ncerror})

    def attempt(self, visit, choice, **how):
        """Let the customer try; returns where the browser goes then, None while it stays (visit.ending).

        choice: "ok", a NCERROR ("30511001"), "51", "52", "91", "92", "41", "93", "cancel" or "abandon".
        how: card (a test number, "alias", "PM:iDEAL"), consent (to store the card), cn (the holder's name).
        """
        return self.checkout.attempt(visit, choice, **how)

    def identify(self, visit, succeeded=True):
        """What the customer does on the 3-D Secure page; as attempt."""
        return self.checkout.identify(visit, succeeded)

    def identification(self, orderid):
        """The Visit behind the last HTML_ANSWER of an order."""
        visits = [visit for visit in self.checkout.visits.values() if visit.direct]
        return [visit for visit in visits if visit.order.orderid == orderid][-1]

    def identification_form(self, visit):
        """HTML_ANSWER: a form that leads to the page where the customer identifies, in base64."""
        label = "Continuer" if visit.french else "Continue"
        script = "<script>document.forms[0].submit()</script>" if self.settings["html_script"] else ""
        inside = "".join(
            f'<input type="hidden" name="{name}" value="{value}">'
            for name, value in (
                ("PaReq", secrets.token_urlsafe(24)),
                ("TermUrl", self.url),
                ("MD", visit.token),
            )
        )
        text = (
            f'<html><body><form method="post" action="{self.url}/payment/identify/{visit.token}">{inside}'
            f'<button type="submit">{label}</button></form>{script}</body></html>'
        )
        return base64.b64encode(text.encode()).decode()

    # -- by hand

    def advance(self, seconds=0, minutes=0, hours=0, days=0):
        """Move the virtual clock; what falls due happens before this returns."""
        length = datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self.clock.advance(length.total_seconds())

    def settle(self, orderid=None, payidsub=None, status=None):
        """Give pending operations their end now (or a status, "84"); payidsub 0 is the payment itself."""
        return self.settlement.settle(orderid, payidsub, status)

    def notify(self, orderid, which=-1, copies=1, parallel=False):
        """Send a stored message about an order (again); returns the status of the first answer."""
        notes = [note for note in self.notifications if note["orderid"] == orderid]
        return self.feedback.send(notes[which], copies, parallel).status

    def maintain(self, orderid, operation, amount=None):
        """What a person does in the back office ("RFD", ...); returns its Step; Refused."""
        with self.books.lock:
            order = self.order(orderid)
            step = self.maintenance.carry_out(order, operation, amount, origin="back office")
        self.feedback.change_of_status(order, step)
        self.settlement.await_end(order, step)
        return step

    def fault(self, endpoint, kind, **options):
        """What goes wrong with the next requests of an endpoint; see :class:`Fault`."""
        self.faults.add(endpoint, kind, **options)

    def script(self, endpoint, outcome):
        """What becomes of the next "order", "maintenance" or "query"."""
        self.directlink.script(endpoint, outcome)

    def delete_alias(self, alias):
        """What a person does in the back office."""
        with self.books.lock:
            if self.books.aliases.pop(alias, None) is None:
                raise ValueError("no such alias")

    def unblock(self):
        """Let the API user in again after too many wrong passwords."""
        self.books.wrong_passwords = 0

    def state(self):
        """What a shop needs to know, as plain data."""
        account = self.account
        names = "pspid userid password sha_in sha_in_directlink sha_out algorithm feedback method".split()
        return {
            "url": self.url,
            "now": str(self.clock.now),
            **{name: getattr(account, name) for name in names},
        }


# --- Pages ----------------------------------------------------------------------------------------

STYLE = """body{font:16px/1.5 sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.3rem}table{width:100%;margin:1rem 0}td{padding:.2rem 0;vertical-align:top}
td+td{text-align:right}label{display:block;margin:.8rem 0 .2rem}
input[type=text],select{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}
button{font:inherit;padding:.7rem 1rem;margin:1rem .5rem 0 0;border:1px solid #264;border-radius:.3rem}
button.main{background:#264;color:#fff}.note{background:#fff3cd;padding:.5rem .8rem;border-radius:.3rem}
.error{background:#f8d7da}small{color:#666}"""
WORDS = {  # English, French
    "title": ("Payment", "Paiement"),
    "small": (
        "Simulator: no bank is called, no money moves.",
        "Simulateur : aucune banque n'est appelée, aucun argent ne bouge.",
    ),
    "merchant": ("Merchant", "Commerçant"),
    "order": ("Order", "Commande"),
    "total": ("Amount", "Montant"),
    "text": ("Description", "Description"),
    "card": ("Means of payment", "Moyen de paiement"),
    "holder": ("Name on the card", "Nom du titulaire"),
    "stored": ("Stored card", "Carte enregistrée"),
    "choice": ("Answer of the bank", "Réponse de la banque"),
    "pay": ("Confirm payment", "Valider le paiement"),
    "cancel": ("Cancel", "Annuler"),
    "abandon": ("Leave without a word", "Quitter sans rien dire"),
    "refused": (
        "Payment refused ({code}). Attempts left: {left}.",
        "Paiement refusé ({code}). Essais restants : {left}.",
    ),
    "failed": ("An error occurred", "Une erreur est survenue"),
    "failed_text": ("The payment cannot go on.", "Le paiement ne peut pas continuer."),
    "processed": ("This order was processed already.", "Cette commande a déjà été traitée."),
    "over": ("End of the payment", "Fin du paiement"),
    "over_text": ("You may close this window.", "Vous pouvez fermer cette fenêtre."),
    "left": ("You have left the page.", "Vous avez quitté la page."),
    "back": ("Back to the shop", "Retour à la boutique"),
    "identify": ("Identification at your bank", "Identification auprès de votre banque"),
    "identify_text": ("Is it you who pays?", "Est-ce bien vous qui payez ?"),
    "yes": ("It is me", "C'est moi"),
    "no": ("It is not me", "Ce n'est pas moi"),
    "unknown": ("Unknown page", "Page inconnue"),
}
CHOICES = (
    ("ok", "Accepted", "Paiement accepté"),
    ("30511001", "Refused: insufficient funds", "Refus : provision insuffisante"),
    ("30051001", "Refused by the bank", "Refus de la banque"),
    ("30331001", "Refused: card expired", "Refus : carte expirée"),
    ("30591001", "Refused: suspected fraud", "Refus : suspicion de fraude"),
    ("51", "Pending: authorisation (51)", "En attente : autorisation (51)"),
    ("91", "Pending: payment (91)", "En attente : paiement (91)"),
    ("41", "Pending: the customer still has to pay (41)", "En attente : paiement du client (41)"),
    ("52", "Uncertain: authorisation (52)", "Incertain : autorisation (52)"),
    ("92", "Uncertain: payment (92)", "Incertain : paiement (92)"),
    ("93", "Payment refused for good (93)", "Paiement refusé définitivement (93)"),
)


class Pages:
    """HTML in English or French, plain forms without scripts."""

    def __init__(self, simulator):
        self.simulator = simulator

    @staticmethod
    def word(name, french, **values):
        """A text of a page."""
        return WORDS[name][french].format(**values)

    def document(self, title, inside, french=False):
        """A whole page."""
        return (
            f'<!doctype html><html lang="{"fr" if french else "en"}"><head><meta charset="utf-8">'
            f'<title>{title}</title><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
            f"</head><body><h1>{title}</h1>{inside}"
            f"<p><small>{self.word('small', french)}</small></p></body></html>"
        )

    def failed(self, language):
        """The page for everything that is wrong with a form: no detail."""
        french = language.startswith("fr")
        inside = f'<p class="note error">{self.word("failed_text", french)}</p>'
        return self.document(self.word("failed", french), inside, french)

    def of(self, visit):
        """The page that a customer sees now."""
        if visit.over or (visit.ending and visit.ending.kind == "left"):
            return self._end(visit)
        return self._identification(visit) if visit.identifying else self._payment(visit)

    def _payment(self, visit):
        french, order = visit.french, visit.order
        word = lambda name: self.word(name, french)  # noqa: E731
        choices = "".join(f'<option value="{row[0]}">{row[1 + french]}</option>' for row in CHOICES)
        buttons = "".join(
            f'<button name="action" value="{name}"{kind}>{word(name)}</button>'
            for name, kind in (("pay", ' class="main"'), ("cancel", ""), ("abandon", ""))
        )
        return self.document(
            html.escape(order.fields.get("TITLE") or word("title")),
            f"{self._note(visit)}{self._table(visit)}"
            f'<form method="post" action="/payment/hostedpage/{visit.token}">'
            f'<label for="card">{word("card")}</label>'
            f'<select id="card" name="card">{self._means(visit)}</select>'
            f'<label for="cn">{word("holder")}</label>'
            f'<input type="text" id="cn" name="cn" maxlength="35" value="{html.escape(order.cn)}">'
            f'{self._consent(visit)}<label for="choice">{word("choice")}</label>'
            f'<select id="choice" name="choice">{choices}</select>{buttons}</form>',
            french,
        )

    def _note(self, visit):
        if not visit.attempts:
            return ""
        code, left = html.escape(visit.ncerror), ATTEMPTS - visit.attempts
        return f'<p class="note error">{self.word("refused", visit.french, code=code, left=left)}</p>'

    def _table(self, visit):
        order = visit.order
        digits = 0 if order.currency in WHOLE else 2
        whole = f"{Decimal(order.amount) / 100:.{digits}f}"
        rows = (
            ("merchant", order.fields.get("PSPID", self.simulator.account.pspid)),
            ("order", order.orderid),
            ("total", f"{whole.replace('.', ',') if visit.french else whole} {order.currency}"),
            ("text", order.fields.get("COM", "")),
        )
        cells = "".join(
            f'<tr><td>{self.word(name, visit.french)}</td><td id="{name}">{html.escape(text)}</td></tr>'
            for name, text in rows
            if text
        )
        return f"<table>{cells}</table>"

    def _means(self, visit):
        """Options: the stored card, the cards that fit, other methods that fit."""
        stored, (method, brand) = self.simulator.checkout.stored(visit), visit.means
        options = []
        if stored:
            label = f"{self.word('stored', visit.french)}: {masked('CARDNO', stored.card.number)}"
            options.append(("alias", label))
        if method in ("", "CreditCard"):
            options += [
                (card.number, f"{card.brand} {card.number}")
                for card in CARDS.values()
                if brand in ("", card.brand) or brand not in {each.brand for each in CARDS.values()}
            ]
        options += [(f"PM:{name}", name) for name in ([method] if method else OTHERS) if name != "CreditCard"]
        return "".join(
            f'<option value="{html.escape(value)}">{html.escape(label)}</option>' for value, label in options
        )

    def _consent(self, visit):
        usage = visit.order.fields.get("ALIASUSAGE")
        if not usage or not self.simulator.account.alias_manager:
            return ""
        box = '<input type="checkbox" id="consent" name="consent" value="1">'
        return f'<p><label for="consent">{box} {html.escape(usage)}</label></p>'

    def _identification(self, visit):
        french = visit.french
        buttons = "".join(
            f'<button name="action" value="{name}">{self.word(label, french)}</button>'
            for name, label in (("confirm", "yes"), ("fail", "no"))
        )
        return self.document(
            self.word("identify", french),
            f"{self._table(visit)}<p>{self.word('identify_text', french)}</p>"
            f'<form method="post" action="/payment/identify/{visit.token}">{buttons}</form>',
            french,
        )

    def _end(self, visit):
        french, ending = visit.french, visit.ending
        word = (
            "processed" if visit.ncerror == "50001113" else "left" if ending.kind == "left" else "over_text"
        )
        inside = f"<p>{self.word(word, french)}</p>"
        if ending.kind == "text":
            address = html.escape(visit.order.fields.get("ACCEPTURL", ""))
            inside = f"<p>{html.escape(ending.content)}</p>"
            inside += (
                f'<p><a id="back" href="{address}">{self.word("back", french)}</a></p>' if address else ""
            )
        return self.document(self.word("over", french), inside, french)

    def home(self):
        """Orders and the error log, for people."""
        rows = "".join(
            f"<tr><td>{html.escape(order.orderid)}</td><td>{value_of(order.amount, 'two')} {order.currency}, "
            f"{html.escape(' / '.join(step.status for step in order.steps))}</td></tr>"
            for order in self.simulator.orders[-50:]
        )
        errors = "".join(
            f"<li>{html.escape(line['orderid'])}: {html.escape(line['text'])}</li>"
            for line in self.simulator.errors[-20:]
        )
        hour = '<form method="post" action="/hour"><button>Une heure passe / Let an hour pass</button></form>'
        table = f"<table>{rows}</table>" if rows else "<p>-</p>"
        now = f"<p>{self.simulator.clock.now}</p>"
        return self.document("Commandes / Orders", f"{now}{table}{hour}<ul>{errors}</ul>")


# --- HTTP -----------------------------------------------------------------------------------------

SCREEN = re.compile(
    r"/ncol/(prod|test)/(orderstandard|orderdirect|maintenancedirect|querydirect)(_utf8)?\.asp", re.IGNORECASE
)
ENDPOINTS = {
    "orderstandard": "page",
    "orderdirect": "order",
    "maintenancedirect": "maintenance",
    "querydirect": "query",
}
VISITED = re.compile(r"/payment/(hostedpage|identify)/([0-9a-f]{32})")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, simulator):
        self.simulator, self.pages = simulator, Pages(simulator)
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_arguments):
        """Say nothing."""

    @property
    def simulator(self):
        """The platform."""
        return self.server.simulator

    @property
    def pages(self):
        """Its pages."""
        return self.server.pages

    def do_GET(self):
        """Pages of a visit, the form by GET, the control API, a page for people."""
        parts = urlsplit(self.path)
        if parts.path.startswith("/_simulator/"):
            return self._control_get(parts.path.removeprefix("/_simulator/"))
        screen, visited = SCREEN.fullmatch(parts.path), VISITED.fullmatch(parts.path)
        if screen and screen[2].lower() == "orderstandard":
            return self._page(screen, parts.query.encode())
        if screen:
            return self._answer(405, self.pages.failed("en"))
        if visited:
            return self._show(visited[2])
        if parts.path == "/":
            return self._answer(200, self.pages.home())
        return self._answer(404, self.pages.document(self.pages.word("unknown", False), ""))

    def do_POST(self):
        """The form, DirectLink, clicks, the control API."""
        path, body = urlsplit(self.path).path, self._body()
        if body is None:
            return self._answer(413, "")
        if path.startswith("/_simulator/"):
            return self._control_post(path.removeprefix("/_simulator/"), body)
        screen, visited = SCREEN.fullmatch(path), VISITED.fullmatch(path)
        if screen and not self._is_form():
            body = b""
        if screen and screen[2].lower() == "orderstandard":
            return self._page(screen, body)
        if screen:
            return self._direct(screen, body)
        if visited:
            return self._click(visited[1], visited[2], dict(parse_qsl(body.decode("utf-8", "replace"))))
        if path == "/hour":
            self.simulator.advance(hours=1)
            return self._go("/")
        return self._answer(404, self.pages.document(self.pages.word("unknown", False), ""))

    def _body(self):
        length = self.headers.get("Content-Length") or "0"
        return self.rfile.read(int(length)) if length.isdigit() and int(length) <= MAX_BODY else None

    def _is_form(self):
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return kind == "application/x-www-form-urlencoded"

    # -- the page

    def _page(self, screen, body):
        simulator, charset = self.simulator, "utf-8" if screen[3] else "iso-8859-1"
        asked = self._note(screen, body, charset)
        fault = simulator.faults.take("page")
        if fault and fault.kind != "latency":
            return self._send_fault(fault, fault.disturb({}, "", None))
        if fault:
            simulator.ended.wait(fault.seconds)
        try:
            referrer, address = self.headers.get("Referer", ""), self.client_address[0]
            visit = simulator.visit(body, charset, screen[1].lower(), referrer, address)
        except Refused:
            return self._answer(200, self.pages.failed(asked.get("LANGUAGE", "en_US")))
        address = f"{simulator.url}/payment/hostedpage/{visit.token}"
        return self._go(address, f"session{screen[1].capitalize()}={secrets.token_hex(8)}; path=/; HttpOnly")

    def _show(self, token):
        visit = self.simulator.checkout.visits.get(token)
        if visit is None:
            return self._answer(404, self.pages.document(self.pages.word("unknown", False), ""))
        if visit.over:
            return self._end(visit)
        visit.ending = None  # who left may come back
        return self._answer(200, self.pages.of(visit))

    def _click(self, where, token, values):
        simulator, visit = self.simulator, self.simulator.checkout.visits.get(token)
        if visit is None:
            return self._answer(404, self.pages.document(self.pages.word("unknown", False), ""))
        action = values.get("action", "")
        if where == "identify" and action in ("confirm", "fail"):
            simulator.identify(visit, action == "confirm")
        elif where == "hostedpage" and not visit.direct and action in ("pay", "cancel", "abandon"):
            choice = values.get("choice", "ok") if action == "pay" else action
            how = {"card": values.get("card", "4111111111111111"), "cn": values.get("cn", "")}
            try:
                simulator.attempt(visit, choice, consent="consent" in values, **how)
            except ValueError:
                return self._answer(400, self.pages.failed(visit.language))
        return self._end(visit) if visit.over else self._answer(200, self.pages.of(visit))

    def _end(self, visit):
        ending = visit.ending
        if ending.kind == "redirect":
            return self._go(ending.address)
        return self._answer(200, ending.content if ending.kind == "html" else self.pages.of(visit))

    # -- DirectLink

    def _direct(self, screen, body):
        simulator, endpoint = self.simulator, ENDPOINTS[screen[2].lower()]
        charset = "utf-8" if screen[3] else "iso-8859-1"
        entry = self._note(screen, body, charset, whole=True)
        fault = simulator.faults.take(endpoint)
        waits = fault is not None and fault.kind == "latency"
        if waits and not fault.booked:
            simulator.ended.wait(fault.seconds)
        only = MINIMAL if simulator.settings["attributes"] == "minimal" else None
        if fault and not fault.booked and not waits:
            return self._send_fault(fault, fault.disturb({}, "", only))
        address = self.client_address[0]
        attributes, answer = simulator.directlink.answer(endpoint, screen[1].lower(), charset, body, address)
        entry["answer"] = {name: attributes[name] for name in ("PAYID", "STATUS", "NCERROR")}
        self._log(attributes)
        if waits and fault.booked:
            simulator.ended.wait(fault.seconds)
        if fault and not waits:
            return self._send_fault(fault, fault.disturb(attributes, answer, only))
        return self._answer(200, render(attributes, answer, only), "text/xml")

    def _log(self, attributes):
        """What fails because of its data stands in the error log too."""
        if attributes["NCERROR"].startswith("5"):
            error = Refused(attributes["NCERRORPLUS"], attributes["NCERROR"])
            self.simulator.log_error(error, attributes["orderID"])

    def _note(self, screen, body, charset, whole=False):
        """Put a request into the journal; returns its parameters, or the whole entry."""
        asked = {}
        with contextlib.suppress(Refused):
            asked = read_parameters(body, charset)
        entry = {
            "at": str(self.simulator.clock.now),
            "method": self.command,
            "path": urlsplit(self.path).path,
            "endpoint": ENDPOINTS[screen[2].lower()],
            "parameters": {name: masked(name, value) for name, value in asked.items()},
        }
        with self.simulator.books.lock:
            self.simulator.books.journal.append(entry)
        return entry if whole else asked

    def _send_fault(self, fault, answer):
        if answer is None:
            self.close_connection = True
            return None
        if fault.kind != "drip":
            return self._answer(answer[0], answer[2], answer[1])
        self._head(answer[0], answer[1], len(answer[2]))
        with contextlib.suppress(OSError):
            for at in range(len(answer[2])):
                self.wfile.write(answer[2][at : at + 1])
                if self.simulator.ended.wait(fault.seconds):
                    break
        return None

    # -- the control API

    def _control_get(self, name):
        simulator = self.simulator
        work = {
            "books": simulator.books.data,
            "errors": lambda: simulator.books.data()["errors"],
            "requests": lambda: copy.deepcopy(simulator.books.journal),
            "state": simulator.state,
        }.get(name)
        if work is None:
            return self._answer(404, "")
        return self._json(200, work())

    def _control_post(self, name, body):
        simulator = self.simulator
        work = {
            "set": simulator.set,
            "configure": simulator.configure,
            "reset": simulator.reset,
            "fault": simulator.fault,
            "script": simulator.script,
            "advance": simulator.advance,
            "settle": simulator.settle,
            "notify": simulator.notify,
            "maintain": lambda **values: dataclasses.asdict(simulator.maintain(**values)),
            "delete_alias": simulator.delete_alias,
            "unblock": simulator.unblock,
        }.get(name)
        if work is None:
            return self._answer(404, "")
        try:
            return self._json(200, {"result": work(**json.loads(body or b"{}"))})
        except (TypeError, ValueError, IndexError, KeyError, Refused) as error:
            return self._json(400, {"error": str(error)})

    def _json(self, status, data):
        return self._answer(status, json.dumps(data), "application/json")

    # -- answers

    def _go(self, address, cookie=""):
        self.send_response(302, "Object moved")
        self.send_header("Location", address)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head(self, status, kind, length):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status, content, kind="text/html; charset=utf-8"):
        data = content.encode() if isinstance(content, str) else content
        with contextlib.suppress(OSError):  # who did not wait
            self._head(status, kind, len(data))
            self.wfile.write(data)


OPTIONS = {  # command line -> field of the Account
    "pspid": "identifier of the merchant",
    "userid": "API user of DirectLink",
    "password": "its password",
    "sha_in": "passphrase of the page",
    "sha_in_directlink": "passphrase of DirectLink",
    "sha_out": "passphrase of the feedback",
    "accepted_url": "feedback about accepted, pending and uncertain payments goes there",
    "declined_url": "feedback about cancelled and refused ones; empty: the same address",
    "status_url": "status changes go there; empty: nowhere",
}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Simulator of Ogone's payment page and DirectLink, loopback only."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", choices=("127.0.0.1", "localhost"), help="(default %(default)s)")
    add("--port", type=int, default=8789, help="0 = a free one (default %(default)s)")
    add(
        "--speed",
        type=float,
        default=1.0,
        help="of the virtual clock, 0 = it stands still (default %(default)s)",
    )
    for name, text in OPTIONS.items():
        add(
            f"--{name.replace('_', '-')}",
            default=getattr(Account, name),
            help=f"{text} (default: %(default)s)",
        )
    add("--feedback-url", help="short for the three addresses at once")
    add("--algorithm", default="sha512", choices=("sha1", "sha256", "sha512"), help="(default %(default)s)")
    add(
        "--feedback",
        default="both",
        choices=("none", "online", "deferred", "both"),
        help="(default %(default)s)",
    )
    add("--method", default="POST", choices=("GET", "POST"), help="of the feedback (default %(default)s)")
    return parser


def account_of(options):
    """Fields of the Account that a command line names."""
    values = {name: getattr(options, name) for name in (*OPTIONS, "algorithm", "feedback", "method")}
    for name in ("accepted_url", "declined_url", "status_url"):
        values[name] = values[name] or options.feedback_url or ""
    return values


def main(argv=None):
    """Run until SIGTERM or Ctrl-C; exit code 0, or 2 when it cannot start."""
    parser = build_parser()
    options = parser.parse_args(argv)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: enough.set())
    try:
        simulator = Simulator(options.host, options.port, options.speed, **account_of(options)).start()
    except (OSError, OverflowError) as error:
        parser.error(str(error))
    sys.stdout.write(json.dumps(simulator.state()) + "\n")
    sys.stdout.write(f"started {time.strftime('%H:%M:%S')}; {simulator.url}/ shows what was paid\n")
    sys.stdout.flush()
    enough.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
