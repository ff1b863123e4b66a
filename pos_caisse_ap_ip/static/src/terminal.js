/** @odoo-module */
import {registerServipayTerminal} from "@paypercloud_servipay_pos/terminal";

registerServipayTerminal("caisse_ap_ip");
