"""Starts an unpacked Odoo that came without a script of its own (see odoo_source.py)."""

import odoo.cli

if __name__ == "__main__":
    odoo.cli.main()
