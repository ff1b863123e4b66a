/** @odoo-module */
import {Component, onWillUnmount, useState} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {Dialog} from "@web/core/dialog/dialog";
import {PaymentScreen} from "@point_of_sale/app/screens/payment_screen/payment_screen";
import {PaymentScreenPaymentLines} from "@point_of_sale/app/screens/payment_screen/payment_lines/payment_lines";
import {TicketScreen} from "@point_of_sale/app/screens/ticket_screen/ticket_screen";
import {ClosePosPopup, PosStore, dialogs, linesOf, methodOf} from "@paypercloud_servipay_pos/compat/compat";
import {isOurs} from "@paypercloud_servipay_pos/terminal";

/** Asks a manager how they know what became of a payment. */
class ResolveDialog extends Component {
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

/** What the terminal is doing with a payment, and what can be done about it. */
class ServipayStatus extends Component {
    static template = "paypercloud_servipay_pos.Status";
    static props = ["opKey", "pos"];

    setup() {
        this.operations = useState(this.follower.operations);
        this.state = useState({now: Date.now(), asking: false});
        const timer = setInterval(() => (this.state.now = Date.now()), 1000);
        onWillUnmount(() => clearInterval(timer));
        if (!this.operations[this.props.opKey]) {
            this.follower.resume(); // an order that another till has begun
        }
    }
    get follower() {
        return this.props.pos.servipay;
    }
    get whole() {
        return this.operations[this.props.opKey] || {};
    }
    get op() {
        return this.whole.void || this.whole;
    }
    get unknown() {
        return this.op.state === "unknown" || this.op.contradicted;
    }
    get time() {
        const waited = (this.state.now - (this.whole.at || this.state.now)) / 1000;
        const seconds = Math.max(Math.round((this.op.elapsed || 0) + waited), 0);
        return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
    cancel() {
        return this.follower.cancel(this.op.key);
    }
    async ask() {
        this.state.asking = true;
        await this.follower.inquire(this.op.key);
        this.state.asking = false;
    }
    resolve(outcome) {
        this.props.pos.env.services.dialog.add(ResolveDialog, {
            title: outcome === "approved" ? _t("It was paid") : _t("It was not paid"),
            confirm: (reason) => this.follower.resolve(this.op.key, outcome, reason),
        });
    }
}

/** Payments that no order here carries and whose outcome is open: another device began them, or it was lost. */
class OrphansDialog extends Component {
    static template = "paypercloud_servipay_pos.Orphans";
    static components = {Dialog, ServipayStatus};
    static props = ["pos", "operations", "close"];

    setup() {
        this.known = useState(this.props.pos.servipay.operations);
        this.title = _t("Payments whose outcome is open");
    }
}

dialogs.orphans = OrphansDialog;

PaymentScreenPaymentLines.components = {...PaymentScreenPaymentLines.components, ServipayStatus};

const WAITING = ["waiting", "waitingCard", "waitingCancel", "reversing"];

patch(PaymentScreenPaymentLines.prototype, {
    servipayPos(line) {
        const ours = WAITING.includes(line.payment_status) && isOurs(line);
        return ours ? methodOf(line).payment_terminal.pos : null;
    },
});

/** Whether money may be moving for one of the lines; says so to the cashier. */
function refuse(pos, lines) {
    const moving = lines.some((line) => pos.servipay.isOpen(line));
    if (moving) {
        pos.servipay.tell(
            _t("The terminal is still at work"),
            _t(
                "Money may be moving for this payment. It can be removed when the terminal has answered: cancel it there or ask it."
            )
        );
    }
    return moving;
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

// every way of deleting an order asks here first: the store since 18.0, the orders screen in 17.0
const Deleter = PosStore.prototype._onBeforeDeleteOrder ? PosStore : TicketScreen;

patch(Deleter.prototype, {
    async _onBeforeDeleteOrder(order) {
        const pos = this instanceof TicketScreen ? this.pos : this;
        return !refuse(pos, [...linesOf(order)]) && super._onBeforeDeleteOrder(...arguments);
    },
});

ClosePosPopup.props.push?.("servipay?"); // 17.0 takes any
