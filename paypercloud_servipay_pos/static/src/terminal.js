/** @odoo-module */
import {Terminal, registerPaymentMethod, setStatus} from "@paypercloud_servipay_pos/compat/compat";

/** The one terminal client, whatever the provider: the server knows the differences. */
export class ServipayTerminal extends Terminal {
    get fastPayments() {
        return this.paymentMethod.servipay_fast_payment;
    }
    sendPaymentRequest(id) {
        return this.pos.servipay.pay(this.getLine(id));
    }
    async sendPaymentCancel(order, id) {
        const line = this.getLine(id);
        await this.pos.servipay.cancel(line.servipay_key);
        // only the terminal's answer ends a payment: the line waits for it
        setStatus(line, "waitingCard");
        return false;
    }
}

export function registerServipayTerminal(name) {
    registerPaymentMethod(name, ServipayTerminal);
}

registerServipayTerminal("paypercloud");
