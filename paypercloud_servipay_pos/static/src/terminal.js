/** @odoo-module */
import {patch} from "@web/core/utils/patch";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {Follower} from "@paypercloud_servipay_pos/follower";
import {guardOrdersOf, guardTables} from "@paypercloud_servipay_pos/frozen";

/** The one terminal client, whatever the provider: the server knows the differences. */
class ServipayTerminal extends compat.Terminal {
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
        compat.setStatus(line, "waitingCard");
        return false;
    }
    sendPaymentReversal(id) {
        return this.pos.servipay.void(this.getLine(id));
    }
}

patch(compat.PosStore.prototype, {
    async setup() {
        await super.setup(...arguments);
        const methods = compat.methodsOf(this).filter((method) => method.servipay_provider);
        for (const method of methods) {
            method.payment_terminal = new ServipayTerminal(this, method);
        }
        this.servipay = new Follower(this);
        compat.listen(this, "SERVIPAY_OPERATION", (news) => this.servipay.hear(news));
        guardOrdersOf(this);
        guardTables(this);
        if (methods.length) {
            this.servipay.resume();
        }
    },
});
