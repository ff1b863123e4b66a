/** @odoo-module */
import {Component, onWillUnmount, useState} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {Dialog} from "@web/core/dialog/dialog";
import {AlertDialog} from "@web/core/confirmation_dialog/confirmation_dialog";
import {PaymentScreen} from "@point_of_sale/app/screens/payment_screen/payment_screen";
import {PaymentScreenPaymentLines} from "@point_of_sale/app/screens/payment_screen/payment_lines/payment_lines";
import {TicketScreen} from "@point_of_sale/app/screens/ticket_screen/ticket_screen";
import {ClosePosPopup, linesOf} from "@paypercloud_servipay_pos/compat/compat";
import {isOpen, isOurs} from "@paypercloud_servipay_pos/follower";

/** Asks a manager how they know what became of a payment. */
export class ResolveDialog extends Component {
    static template = "paypercloud_servipay_pos.ResolveDialog";
    static components = {Dialog};
    static props = ["title", "confirm", "close"];

    setup() {
        this.state = useState({reason: ""});
    }
    confirm() {
        this.props.confirm(this.state.reason.trim());
        this.props.close();
    }
}

/** What the terminal is doing with a payment line, and what can be done about it. */
export class ServipayStatus extends Component {
    static template = "paypercloud_servipay_pos.Status";
    static props = ["line", "pos"];

    setup() {
        this.operations = useState(this.props.pos.servipay.operations);
        this.clock = useState({now: Date.now()});
        const timer = setInterval(() => (this.clock.now = Date.now()), 1000);
        onWillUnmount(() => clearInterval(timer));
    }
    get key() {
        return this.props.line.servipay_key;
    }
    get op() {
        return this.operations[this.key] || {state: "draft", activity: _t("Preparing the payment")};
    }
    get unknown() {
        return this.op.state === "unknown" || this.op.contradicted;
    }
    get time() {
        const {at, elapsed} = this.op;
        const seconds = Math.max(Math.round((elapsed || 0) + (at ? this.clock.now - at : 0) / 1000), 0);
        return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
    cancel() {
        return this.props.pos.servipay.cancel(this.key);
    }
    ask() {
        return this.props.pos.servipay.inquire(this.key);
    }
    resolve(outcome) {
        this.props.pos.env.services.dialog.add(ResolveDialog, {
            title: outcome === "approved" ? _t("It was paid") : _t("It was not paid"),
            confirm: (reason) => this.props.pos.servipay.resolve(this.key, outcome, reason),
        });
    }
}

PaymentScreenPaymentLines.components = {...PaymentScreenPaymentLines.components, ServipayStatus};

patch(PaymentScreenPaymentLines.prototype, {
    servipayPos(line) {
        const waiting = ["waiting", "waitingCard", "waitingCancel"].includes(line.payment_status);
        return waiting && isOurs(line)
            ? (line.payment_method_id || line.payment_method).payment_terminal.pos
            : null;
    },
});

/** Whether an order or a line holds an operation whose outcome is not known; says so to the cashier. */
function refuse(pos, lines) {
    const open = lines.some((line) => isOpen(pos.servipay.operationOf(line)));
    if (open) {
        pos.env.services.dialog.add(AlertDialog, {
            title: _t("The terminal is still at work"),
            body: _t(
                "Money may be moving for this payment. It can be removed when the terminal has answered: cancel it there or ask it."
            ),
        });
    }
    return open;
}

patch(PaymentScreen.prototype, {
    deletePaymentLine(id) {
        const lines = this.paymentLines.filter((line) => (line.uuid || line.cid) === id);
        return refuse(this.pos, lines) ? undefined : super.deletePaymentLine(...arguments);
    },
    // core drops the lines that are not done when it validates
    async validateOrder() {
        return refuse(this.pos, [...this.paymentLines]) ? undefined : super.validateOrder(...arguments);
    },
});

patch(TicketScreen.prototype, {
    async onDeleteOrder(order) {
        return refuse(this.pos, [...linesOf(order)]) ? undefined : super.onDeleteOrder(...arguments);
    },
});

if (Array.isArray(ClosePosPopup.props)) {
    ClosePosPopup.props = [...ClosePosPopup.props, "servipay?"];
}
