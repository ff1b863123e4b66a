"""The form that leaves: every limit of the platform, whatever stands in a record; and where it goes."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogone import lists, methods, money, order, page, platform, text
from ogone.errors import ProtocolError
from ogone.methods import Method
from ogone.page import Addresses, Alias, Customer, Look, Merchant, Options, Payment, form
from ogone.signature import sign

KEY = "Mysecretsig1875!?"
MERCHANT = Merchant("MyPSPID", KEY)
ADDRESSES = Addresses(*(f"https://odoo.example.com/payment/ogone/return?{word}=1" for word in "adux"))
CUSTOMER = Customer(
    name='Zoé "d\'Arc" Œuvrard',
    email="zoe@example.com",
    street="3 place Bellecour",
    street2="bât. B",
    zip_code="69002",
    city="Lyon",
    country="fr",
    phone="+33612345678",
)


def payment(**values):
    base = {"amount": Decimal("15.00"), "currency": "EUR", "order": "INV/2026/00042-1"}
    return Payment(**{**base, "description": "Invoice INV/2026/00042", **values})


def fields(options=None, customer=CUSTOMER, addresses=ADDRESSES, **values):
    return dict(form(MERCHANT, payment(**values), addresses, customer, options))


def refused(code, call, *arguments, **values):
    with pytest.raises(ProtocolError) as caught:
        call(*arguments, **values)
    assert caught.value.code == code
    assert KEY not in str(caught.value)


def test_form_holds_what_is_needed_and_is_signed():
    pairs = form(MERCHANT, payment(), ADDRESSES, CUSTOMER)
    names = [name for name, _value in pairs]
    assert names[0] == "PSPID" and names[-1] == "SHASIGN" and len(set(names)) == len(names)
    assert dict(pairs)["SHASIGN"] == sign(pairs[:-1], KEY, "sha512", "in")
    assert all(lists.is_signed(name, "in") for name in names[:-1])
    assert dict(pairs) == {
        "PSPID": "MyPSPID",
        "ORDERID": "INV/2026/00042-1",
        "AMOUNT": "1500",
        "CURRENCY": "EUR",
        "LANGUAGE": "en_US",
        "OPERATION": "SAL",
        "COM": "Invoice INV/2026/00042",
        "CN": "Zoé dArc Œuvrard",
        "EMAIL": "zoe@example.com",
        "OWNERADDRESS": "3 place Bellecour, bât. B",
        "OWNERZIP": "69002",
        "OWNERTOWN": "Lyon",
        "OWNERCTY": "FR",
        "OWNERTELNO": "+33612345678",
        "ACCEPTURL": ADDRESSES.accepted,
        "DECLINEURL": ADDRESSES.declined,
        "EXCEPTIONURL": ADDRESSES.uncertain,
        "CANCELURL": ADDRESSES.cancelled,
        "SHASIGN": dict(pairs)["SHASIGN"],
    }


def test_form_without_a_customer_and_other_algorithms():
    short = Merchant("MyPSPID", KEY, "SHA1")
    pairs = form(short, payment(), ADDRESSES)
    assert "CN" not in dict(pairs) and len(dict(pairs)["SHASIGN"]) == 40


def test_everything_that_may_be_asked_for():
    options = Options(
        operation="RES",
        language="nl_BE",
        method=methods.request_of("bancontact"),
        pm_list=("iDEAL",),
        excluded=("PAYPAL", "PAYPAL", "TWINT"),
        layout="2",
        window="MAINW",
        device="mobile",
        credit_debit="C",
        echo="op-7",
        unsigned_echo="a=1&b=2",
        variable="odoo1",
        alias=Alias("Remember my card", "ODOO-ALIAS-" + "a" * 32),
        look=Look(
            "Pay", "#ffffff", "black", "#000000", "red", "#ABCDEF", "blue", "Verdana", "logo.png", "t.html"
        ),
    )
    found = fields(options)
    expected = {
        **{"OPERATION": "RES", "LANGUAGE": "nl_BE", "PM": "CreditCard", "BRAND": "BCMC", "PMLISTTYPE": "2"},
        **{"EXCLPMLIST": "PAYPAL;TWINT", "WIN3DS": "MAINW", "DEVICE": "mobile", "CREDITDEBIT": "C"},
        **{"COMPLUS": "op-7", "PARAMPLUS": "a=1&b=2", "PARAMVAR": "odoo1", "ALIASUSAGE": "Remember my card"},
        **{"ALIAS": "ODOO-ALIAS-" + "a" * 32, "ALIASPERSISTEDAFTERUSE": "Y", "TITLE": "Pay"},
        **{"BGCOLOR": "#ffffff", "TXTCOLOR": "black", "TBLBGCOLOR": "#000000", "TBLTXTCOLOR": "red"},
        **{"BUTTONBGCOLOR": "#ABCDEF", "BUTTONTXTCOLOR": "blue", "FONTTYPE": "Verdana", "LOGO": "logo.png"},
        "TP": "t.html",
    }
    assert expected.items() <= found.items() and "PMLIST" not in found and "ALIASOPERATION" not in found
    names = [name for name in found if name != "SHASIGN"]
    assert all(lists.is_signed(name, "in") for name in names)
    # no pair among them whose order is disputed
    assert sorted(names, key=lists.sort_key) == sorted(names)


def test_alias_of_the_platforms_choice_and_of_one_use():
    found = fields(Options(alias=Alias(" For\nlater ", kept=False)))
    assert found["ALIASOPERATION"] == "BYPSP" and "ALIAS" not in found
    assert (found["ALIASUSAGE"], found["ALIASPERSISTEDAFTERUSE"]) == ("For later", "N")


def test_lists_of_means_of_payment():
    both = fields(Options(method=methods.request_of("kbc_cbc"), pm_list=["iDEAL", "KBC Online"]))
    assert both["PMLIST"] == "KBC Online;CBC Online;iDEAL" and "PM" not in both
    addresses = Addresses(*["https://x/a"] * 4, "https://x/back", "NONE", "https://x/shop")
    found = fields(addresses=addresses)
    assert (found["BACKURL"], found["HOMEURL"], found["CATALOGURL"]) == (
        "https://x/back",
        "NONE",
        "https://x/shop",
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"operation": "PAU"}, "choice"),
        ({"operation": None}, "choice"),
        ({"layout": "3"}, "choice"),
        ({"layout": 1}, "choice"),
        ({"window": "X"}, "choice"),
        ({"device": "fridge"}, "choice"),
        ({"credit_debit": "CREDIT"}, "choice"),
        ({"method": Method("x" * 26)}, "method"),
        ({"method": Method("a;b")}, "method"),
        ({"method": Method("a", None)}, "method"),
        ({"method": Method(" a")}, "method"),
        ({"method": Method("a\nb")}, "method"),
        ({"method": Method(pm_list="iDEAL")}, "method"),
        ({"method": "CreditCard"}, "type"),
        ({"pm_list": ("",)}, "method"),
        ({"pm_list": ("a",) * 51}, "method"),
        ({"excluded": (5,)}, "method"),
        ({"echo": "x" * 201}, "text"),
        ({"echo": "a b"}, "text"),
        ({"unsigned_echo": "é"}, "text"),
        ({"unsigned_echo": 5}, "text"),
        ({"variable": "a"}, "text"),
        ({"variable": "a/b"}, "text"),
        ({"alias": Alias("")}, "consent"),
        ({"alias": Alias(None, "A")}, "consent"),
        ({"alias": Alias("ok", "a b")}, "alias"),
        ({"alias": Alias("ok", "x" * 51)}, "alias"),
        ({"alias": Alias("ok", "4111111111111111")}, "alias"),
        ({"alias": Alias("ok", "4111-1111-1111-1111")}, "alias"),
        ({"alias": "A"}, "type"),
        ({"look": None}, "type"),
        ({"look": Look(background="#fff")}, "colour"),
        ({"look": Look(text="red;")}, "colour"),
        ({"look": Look(text=5)}, "colour"),
        ({"look": Look(logo="../x")}, "url"),
        ({"look": Look(template="http://x/" + "a" * 200)}, "url"),
    ],
)
def test_options_that_are_none(options, code):
    refused(code, fields, Options(**options))


def test_aliases_that_only_look_like_numbers_are_taken():
    assert page.check_alias("1987839941297952") == "1987839941297952"
    assert page.check_alias("4111111111") == "4111111111"
    refused("alias", page.check_alias, None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((Merchant("My PSPID", KEY), payment(), ADDRESSES), "pspid"),
        ((Merchant("x" * 31, KEY), payment(), ADDRESSES), "pspid"),
        ((Merchant(None, KEY), payment(), ADDRESSES), "pspid"),
        ((Merchant("MyPSPID", ""), payment(), ADDRESSES), "passphrase"),
        ((Merchant("MyPSPID", None), payment(), ADDRESSES), "passphrase"),
        ((Merchant("MyPSPID", KEY, "md5"), payment(), ADDRESSES), "algorithm"),
        ((None, payment(), ADDRESSES), "type"),
        ((MERCHANT, None, ADDRESSES), "type"),
        ((MERCHANT, payment(), None), "type"),
        ((MERCHANT, payment(), ADDRESSES, "Zoé"), "type"),
        ((MERCHANT, payment(), ADDRESSES, CUSTOMER, "RES"), "type"),
        ((MERCHANT, payment(order="x" * 41), ADDRESSES), "order"),
        ((MERCHANT, payment(order=""), ADDRESSES), "order"),
        ((MERCHANT, payment(order="a b"), ADDRESSES), "order"),
        ((MERCHANT, payment(order="é"), ADDRESSES), "order"),
        ((MERCHANT, payment(order="a\n"), ADDRESSES), "order"),
        ((MERCHANT, payment(currency="eur"), ADDRESSES), "currency"),
        ((MERCHANT, payment(amount=Decimal(0)), ADDRESSES), "amount"),
    ],
)
def test_forms_that_are_none(arguments, code):
    refused(code, form, *arguments)


@pytest.mark.parametrize(
    "address",
    ["", "/x", "ftp://x/", "https://", "https://x/#a", "https://x/é", "https://x/a b", "https://[x/", None, 5]
    + ["https://x/" + "a" * 191],
)
def test_addresses_that_are_none(address):
    refused("url", fields, addresses=Addresses(address, *["https://x/a"] * 3))
    if address != "":
        refused("url", fields, addresses=Addresses(*["https://x/a"] * 4, back=address))
    refused("url", fields, addresses=Addresses(*["https://x/a"] * 4, back="NONE"))
    assert page.url("x", "https://x/" + "a" * 190)
    refused("url", page.url, None, None)


def test_secrets_do_not_show():
    assert KEY not in repr(MERCHANT)
    assert "USERID" not in fields() and "PSWD" not in fields()


def test_helpers_refuse_what_they_cannot_use():
    refused("text", page.cut, "PSPID", "x")
    refused("text", page.cut, None, "x")
    refused("choice", page.one_of, None, "x", ("a",))
    refused("choice", page.one_of, "x", "a", "abc")
    refused("type", page.customer_fields, None)
    refused("value", page.signed, None, KEY, "sha1")
    refused("value", page.signed, [("AMOUNT", 5)], KEY, "sha1")
    refused("passphrase", page.signed, [], "", "sha1")


# -- amounts


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("15", "EUR", "1500"),
        ("0.01", "EUR", "1"),
        ("15.50", "USD", "1550"),
        ("15.5000000", "USD", "1550"),
        ("1E+2", "USD", "10000"),
        ("500", "JPY", "50000"),
        ("1", "KRW", "100"),
        ("12.340", "TND", "1234"),
        ("9999999999999.99", "EUR", "999999999999999"),
    ],
)
def test_amounts(amount, currency, written):
    assert fields(amount=Decimal(amount), currency=currency)["AMOUNT"] == written


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (Decimal("0.001"), "EUR", "decimals"),
        (Decimal("100.50"), "JPY", "decimals"),
        (Decimal("1.234"), "TND", "decimals"),
        (Decimal(0), "EUR", "amount"),
        (Decimal(-1), "EUR", "amount"),
        (Decimal("10000000000000"), "EUR", "amount"),
        (Decimal("1E+999999"), "EUR", "amount"),
        (Decimal("1E-999999"), "EUR", "amount"),
        (Decimal("1." + "0" * 50), "EUR", "amount"),
        (Decimal("NaN"), "EUR", "amount"),
        (Decimal("Infinity"), "EUR", "amount"),
        (15, "EUR", "amount"),
        (15.0, "EUR", "amount"),
        ("15", "EUR", "amount"),
        (None, "EUR", "amount"),
        (Decimal(1), "EU", "currency"),
        (Decimal(1), "\uff25\uff35\uff32", "currency"),
        (Decimal(1), None, "currency"),
    ],
)
def test_amounts_that_are_none(amount, currency, code):
    refused(code, money.hundredths, amount, currency)


def test_read_amount():
    assert [
        str(money.read_amount(one)) for one in ("15", "15.00", "1111.11", "0.5")
    ] == "15 15.00 1111.11 0.5".split()
    for bad in ("", "1,5", "-1", "+1", "1.", ".5", "1e3", "1_0", " 1", "١", "1" * 14, "1.00000", None, 5):
        assert money.read_amount(bad) is None


@given(st.integers(1, money.MAX_HUNDREDTHS), st.sampled_from(["EUR", "JPY", "TND"]))
def test_what_is_asked_is_what_is_read_back(number, currency):
    amount = Decimal(number).scaleb(-2)
    try:
        written = money.hundredths(amount, currency)
    except ProtocolError:
        assert currency == "JPY" and number % 100
        return
    assert written == number and money.read_amount(f"{amount:f}") == amount


# -- texts


def test_limits_of_free_texts():
    long = "é" * 500
    found = fields(
        Options(look=Look(title=long, font=long), alias=Alias(long)),
        Customer(long, "a@b." + "c" * 47, long, long, long, long, "FRA", "1" * 21),
        description=long,
    )
    for name in ("CN", "OWNERADDRESS", "OWNERZIP", "OWNERTOWN", "COM", "TITLE", "FONTTYPE", "ALIASUSAGE"):
        assert found[name] == "é" * page.LIMITS[name], name
    # half of these would be somebody else's
    assert {"EMAIL", "OWNERTELNO", "OWNERCTY"} & set(found) == set()
    limits = {"CN": 35, "OWNERADDRESS": 35, "OWNERZIP": 10, "OWNERTOWN": 25, "COM": 100}
    assert limits.items() <= page.LIMITS.items()


@pytest.mark.parametrize(
    ("written", "limit", "cut"),
    [
        ("  a\tb\r\nc  ", 5, "a b c"),
        ("abc def", 4, "abc"),
        ("😀😀", 3, "😀"),
        ("a😀", 2, "a"),
        ("\ud800a", 5, "a"),
        ("a\x00b\u202eb", 9, "a b b"),
        ("abc", 0, ""),
        ("abc", -1, ""),
        ("abc", True, ""),
        (None, 5, ""),
    ],
)
def test_clean(written, limit, cut):
    assert text.clean(written, limit) == cut


@pytest.mark.parametrize(
    ("email", "phone", "found"),
    [
        ("a@b.fr", "+33612345678", {"EMAIL": "a@b.fr", "OWNERTELNO": "+33612345678"}),
        (" a@b.fr ", "n/a", {"EMAIL": "a@b.fr"}),
        ("a@b.fr", "06 12 34 56 78 / 01 23 45 67 89", {"EMAIL": "a@b.fr"}),
        ("a@b.fr", "0612345678", {"EMAIL": "a@b.fr"}),
        (
            "a@" + "b" * 45 + ".fr",
            "+" + "1" * 15,
            {"EMAIL": "a@" + "b" * 45 + ".fr", "OWNERTELNO": "+" + "1" * 15},
        ),
        ("a@" + "b" * 46 + ".fr", "123", {}),
        ("a b@c.fr", "", {}),
        ("é@b.fr", None, {}),
        (None, 5, {}),
    ],
)
def test_addresses_that_must_not_be_cut(email, phone, found):
    values = {
        name: value for name, value in page.customer_fields(Customer(email=email, phone=phone)) if value
    }
    assert values == found


def test_hidden_cards():
    assert text.hide_cards("card 4111 1111 1111 1111.") == "card XXXX XXXX XXXX 1111."
    assert text.hide_cards("4111-1111-1111-1111") == "XXXX-XXXX-XXXX-1111"
    assert text.hide_cards("PAYID 01234567899") == "PAYID 01234567899" and text.hide_cards(None) == ""
    assert text.hide_cards("123456789012") == "XXXXXXXX9012"
    assert text.said("a\n4111111111111111" + "x" * 900).startswith("a XXXXXXXXXXXX1111x")
    assert len(text.said("x" * 900)) == text.MAX_TEXT
    tails = [
        "XXXXXXXXXXXX1111",
        "xxxxxxxxxxxx1111",
        "************1111",
        "1111",
        " X-1111 ",
        "XXXX",
        "X1",
        "",
        None,
    ]
    assert [text.card_tail(one) for one in tails] == ["1111"] * 5 + [""] * 4
    assert text.card_tail("DE44XXXX1234") == "" and text.card_tail("x" * 61 + "1111") == ""


ANY = st.text(max_size=60) | st.none() | st.integers()


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY, min_size=10, max_size=10))
def test_any_record_gives_a_form_that_the_platform_takes(values):
    *person, description, language = values
    found = fields(Options(language=language), Customer(*person), description=description)
    limits = {**page.LIMITS, "EMAIL": 50, "OWNERCTY": 2, "OWNERTELNO": 20, "LANGUAGE": 5}
    for name, value in found.items():
        assert value and value == value.strip() and value.isprintable()
        assert len(value.encode("utf-16-le")) <= 2 * limits.get(name, 200)


# -- languages


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("fr_FR", "fr_FR"),
        ("fr_BE", "fr_FR"),
        ("nl_BE", "nl_BE"),
        ("nl_NL", "nl_NL"),
        ("nl", "nl_NL"),
        ("da_DK", "dk_DK"),
        ("sv_SE", "se_SE"),
        ("se_SE", "se_SE"),
        ("se_NO", "en_US"),
        ("dk_XX", "en_US"),
        ("nb_NO", "no_NO"),
        ("nn_NO", "no_NO"),
        ("pt_BR", "pt_PT"),
        ("zh_CN", "en_US"),
        ("en_GB", "en_US"),
        ("es_419", "es_ES"),
        ("sr@latin", "en_US"),
        ("de-at", "de_DE"),
        ("EL_gr", "el_GR"),
        ("", "en_US"),
        (None, "en_US"),
    ],
)
def test_languages(code, found):
    assert page.language(code) == found
    assert found in page.LANGUAGES and len(page.LANGUAGES) == 18


# -- order numbers


@pytest.mark.parametrize(
    ("reference", "number", "attempt", "made"),
    [
        ("INV/2026/00042-1", 7, 0, "INV/2026/00042-1"),
        ("x" * 40, 7, 0, "x" * 40),
        ("x" * 41, 7, 0, "TX-7-" + "x" * 35),
        ("Facture n° 3.a", 7, 0, "TX-7-Facture-n-3-a"),
        ("日本", 7, 0, "TX-7"),
        (None, 7, 0, "TX-7"),
        ("TX-8-a", 7, 0, "TX-7-TX-8-a"),
        ("tx-8", 7, 0, "TX-7-tx-8"),
        ("S1", 7, 1, "TX-7_1-S1"),
        ("S1", 10**18 - 1, 9999, "TX-999999999999999999_9999-S1"),
    ],
)
def test_order_numbers(reference, number, attempt, made):
    assert order.order_of(reference, number, attempt) == made
    assert order.is_order(made) and order.number_of(made) == (number if made.startswith("TX-") else None)


@pytest.mark.parametrize("number", [0, -1, 10**18, True, "7", None, 1.0])
def test_numbers_of_orders_that_are_none(number):
    refused("number", order.order_of, "S1", number)
    if number not in (0, 1.0):
        refused("attempt", order.order_of, "S1", 1, number if number != 10**18 else 10000)


@pytest.mark.parametrize(
    "made", ["S1", "TX-", "TX-0", "TX-07", "TX-1x", "TX-1_0", "tx-1", "TX-" + "1" * 19, None]
)
def test_orders_that_are_not_ours(made):
    assert order.number_of(made) is None


REFERENCES = st.text(max_size=60) | st.from_regex(r"\A(TX-)?[0-9]{1,3}(_[0-9])?(-[a-z0-9]{0,3})?\Z")


@settings(max_examples=300, deadline=None)
@given(REFERENCES, REFERENCES, st.integers(1, 30), st.integers(1, 30), st.integers(0, 3), st.integers(0, 3))
def test_two_payments_never_share_an_order_number(first, second, one, other, attempt, again):
    made, next_made = order.order_of(first, one, attempt), order.order_of(second, other, again)
    assert order.is_order(made)
    # two payments differ in their number and in their reference, two attempts in the attempt
    if (one != other and first != second) or (one == other and first == second and attempt != again):
        assert made != next_made


# -- means of payment


def test_methods_both_ways():
    for code, method in methods.REQUESTS.items():
        assert max(len(method.pm), len(method.brand), *map(len, method.pm_list or [""])) <= page.MAX_NAME
        assert method.pm or method.pm_list
        for pm in (method.pm, *method.pm_list):
            if pm:
                # one of Klarna's has a code of its own
                back = "klarna_pay_over_time" if pm == "KLARNA_PAYLATER" else code
                assert methods.code_of(pm, method.brand) == back
                assert methods.code_of(pm.upper(), method.brand.lower()) == back
    assert methods.request_of("unheard") == methods.request_of(None) == Method()


@pytest.mark.parametrize(
    ("pm", "brand", "code"),
    [
        ("CreditCard", "VISA", "visa"),
        ("creditcard", "Unheard", "card"),
        ("CreditCard", "", "card"),
        ("CreditCard", "American Express", "amex"),
        ("CreditCard", "Diners Club", "diners"),
        ("CreditCard", "BCMC", "bancontact"),
        ("CreditCard", "Bancontact/Mister Cash", "bancontact"),
        ("BCMC", "", "bancontact"),
        ("", "VISA", "visa"),
        ("", "iDEAL", "ideal"),
        ("", "", ""),
        (" IDEAL ", "iDEAL", "ideal"),
        ("DirectEbankingBE", "", "sofort"),
        ("Bank transfer BE", "Bank transfer", "bank_transfer"),
        ("DEXIA NetBanking", "", "belfius"),
        ("PostFinance e-finance", "", "post_finance_pay"),
        ("Direct Debits NL", "", "sepa_direct_debit"),
        ("KLARNA_BANK_TRANSFER", "", "klarna"),
        ("KLARNA_PAYNOW", "", "klarna_paynow"),
        ("ING HomePay", "", ""),
        (None, None, ""),
    ],
)
def test_what_was_paid_with(pm, brand, code):
    assert methods.code_of(pm, brand) == code


# -- where it is


def test_platforms():
    test, live = platform.platform("ogone", True), platform.platform("ogone", False)
    assert test.address("page") == "https://ogone.test.v-psp.com/ncol/test/orderstandard_utf8.asp"
    assert live.address("page") == "https://secure.ogone.com/ncol/prod/orderstandard_utf8.asp"
    assert live.address("order") == "https://secure.ogone.com/ncol/prod/orderdirect_utf8.asp"
    assert live.address("maintenance").endswith("/ncol/prod/maintenancedirect_utf8.asp")
    assert live.address("query").endswith("/ncol/prod/querydirect_utf8.asp")
    own = platform.platform("custom", True, "http://127.0.0.1:8070/", insecure=True)
    assert own.address("page") == "http://127.0.0.1:8070/ncol/test/orderstandard_utf8.asp"
    for brand, (production, test) in platform.BRANDS.items():
        assert platform.platform(brand, False).base == production == platform.base_address(production)
        assert platform.platform(brand, True).base == test and platform.platform(brand, True).test
    assert set(platform.ANNOUNCED_END) <= set(platform.BRANDS)
    for endpoint in ("refund", None, []):
        refused("endpoint", live.address, endpoint)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("pay.example.com", "https://pay.example.com"),
        (" HTTPS://pay.example.com:444/ ", "https://pay.example.com:444"),
        ("https://pay.example.com/ncol/test/orderstandard.asp", "https://pay.example.com"),
        ("pay.example.com/ncol", "https://pay.example.com"),
    ],
)
def test_addresses_as_people_type_them(typed, base):
    assert platform.base_address(typed) == base


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (("other", True), "brand"),
        ((None, True), "brand"),
        ((["ogone"], True), "brand"),
        (("custom", True), "host"),
        (("custom", True, None), "host"),
        (("custom", True, "ftp://x"), "host"),
        (("custom", True, "x:99999"), "host"),
        (("custom", True, "x/path"), "host"),
        (("custom", True, "user@x"), "host"),
        (("custom", True, "https://x?y"), "host"),
        (("custom", True, "http://x"), "https"),
        (("custom", True, "http://x", "yes"), "https"),
    ],
)
def test_platforms_that_are_none(values, code):
    refused(code, platform.platform, *values)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://x/", True),
        ("http://x/a", True),
        ("https://x:80/", True),
        ("https://x:8443/", False),
        ("https://", False),
        ("ftp://x/", False),
        ("https://x:99999/", False),
        (None, False),
        ("x", False),
    ],
)
def test_ports_that_the_platform_calls(address, good):
    assert platform.can_be_notified(address) is good
