"""Starts Odoo as its own script does, with Viva.com's demo hosts leading to a simulator.

Core's pos_viva_com has these hosts in its code. Not a line of it is changed: what `requests` is about to send
to one of them goes to the address in the configuration's `viva_simulator` instead, after the session, its
time-outs and its retries were chosen by the address that core wrote. TLS is left out; it is for ours too.
"""

import re

import odoo.cli

HOSTS = re.compile(r"https://demo(-api|-accounts)?\.vivapayments\.com(?=/)")


def lead_to_simulator():
    """Change where `requests` sends what is meant for Viva.com's demo."""
    import requests.adapters  # after Odoo, whose evented process patches sockets first

    from odoo.tools import config

    send = requests.adapters.HTTPAdapter.send

    def sent(adapter, request, **options):
        address, found = HOSTS.subn(config["viva_simulator"], request.url)
        if found:
            request.url, options["proxies"] = address, {}
        return send(adapter, request, **options)

    requests.adapters.HTTPAdapter.send = sent


if __name__ == "__main__":
    lead_to_simulator()
    odoo.cli.main()
