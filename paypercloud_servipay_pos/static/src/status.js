/** @odoo-module */
import {Component, onWillUnmount, useState} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {PaymentScreenPaymentLines} from "@point_of_sale/app/screens/payment_screen/payment_lines/payment_lines";
import {TicketScreen} from "@point_of_sale/app/screens/ticket_screen/ticket_screen";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {isMoving, isOurs} from "@paypercloud_servipay_pos/frozen";

const {linesOf, methodOf} = compat;

/** What the terminal is doing with a payment, and what can be done about it. */
export class ServipayStatus extends Component {
    static template = "paypercloud_servipay_pos.Status";
    static props = ["opKey", "pos"];

    setup() {
        this.operations = useState(this.follower.operations);
        this.state = useState({now: Date.now(), asking: false, asked: ""});
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
        this.state.asked = _t("Asked at %s, still open.", luxon.DateTime.now().toFormat("HH:mm:ss"));
    }
    resolve(outcome) {
        const {pos} = this.props;
        pos.env.services.dialog.add(compat.dialogs.resolve, {pos, op: this.op, outcome});
    }
}

PaymentScreenPaymentLines.components = {...PaymentScreenPaymentLines.components, ServipayStatus};

const WAITING = ["waiting", "waitingCard", "waitingCancel", "reversing"];

patch(PaymentScreenPaymentLines.prototype, {
    servipayPos(line) {
        const ours = WAITING.includes(line.payment_status) && isOurs(line);
        return ours ? methodOf(line).payment_terminal?.pos : null;
    },
    /** Why the last attempt of a line was not paid. */
    servipayReason(line) {
        const pos = isOurs(line) && methodOf(line).payment_terminal?.pos;
        return pos && pos.servipay.reasons[compat.lineId(line)];
    },
});

patch(TicketScreen.prototype, {
    getStatus(order) {
        const moving = !compat.isRecorded(order) && [...(linesOf(order) || [])].some(isMoving);
        return moving ? _t("Card payment under way") : super.getStatus(...arguments);
    },
});

compat.ClosePosPopup.props.push?.("servipay?"); // 17.0 takes any
