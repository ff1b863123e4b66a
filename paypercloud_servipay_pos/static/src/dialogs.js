/** @odoo-module */
import {Component, useState} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {localization} from "@web/core/l10n/localization";
import {Dialog} from "@web/core/dialog/dialog";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {ServipayStatus} from "@paypercloud_servipay_pos/status";

/** Who decides, where employees log in at the till: one of the managers, with his own PIN. */
class Manager extends Component {
    static template = "paypercloud_servipay_pos.Manager";
    static props = ["managers", "state"];
}

const chosen = ({manager, pin}) => manager && {employee_id: Number(manager), pin};

/** Asks for a manager, where the one who works at the till may not do something. */
class ManagerDialog extends Component {
    static template = "paypercloud_servipay_pos.ManagerDialog";
    static components = {Dialog, Manager};
    static props = ["why", "managers", "choose", "close"];

    setup() {
        this.title = _t("A manager is needed");
        this.state = useState({manager: String(this.props.managers[0].id), pin: ""});
    }
    confirm() {
        this.props.choose(chosen(this.state));
        this.props.close();
    }
}

/** Asks a manager what became of a payment, how much of it was paid, and how they know. */
class ResolveDialog extends Component {
    static template = "paypercloud_servipay_pos.ResolveDialog";
    static components = {Dialog, Manager};
    static props = ["pos", "op", "outcome", "close"];

    setup() {
        const {pos, op, outcome} = this.props;
        this.paid = outcome === "approved";
        this.title = this.paid ? _t("It was paid") : _t("It was not paid");
        const employee = compat.employeeOf(pos);
        this.managers = compat.managersOf(pos);
        const first = this.managers.find(({id}) => id === employee?.id) || this.managers[0];
        this.state = useState({
            reason: "",
            amount: (op.answered || op.amount || 0)
                .toFixed(this.digits)
                .replace(".", localization.decimalPoint),
            manager: String(first?.id || ""),
            pin: "",
        });
    }
    get digits() {
        return this.props.pos.currency.decimal_places;
    }
    /** What was typed; NaN unless it can be read in one way only: "1,450" may be more than a thousand. */
    get amount() {
        const typed = this.state.amount.replace(/\s/g, "").replace(",", ".");
        return typed.split(".")[1]?.length > this.digits ? NaN : Number(typed);
    }
    get ready() {
        return Boolean(this.state.reason.trim()) && (!this.paid || this.amount > 0);
    }
    confirm() {
        const {reason} = this.state;
        this.props.pos.servipay.resolve(this.props.op.key, {
            outcome: this.props.outcome,
            reason: reason.trim(),
            amount: this.paid ? this.amount : null,
            cashier: chosen(this.state),
        });
        this.props.close();
    }
}

/** Payments that no order here carries: another device began them, or their order was lost. */
class OrphansDialog extends Component {
    static template = "paypercloud_servipay_pos.Orphans";
    static components = {Dialog, ServipayStatus};
    static props = ["pos", "operations", "close"];

    setup() {
        this.operations = useState(this.props.operations);
        this.known = useState(this.props.pos.servipay.operations);
        this.title = _t("Payments that no order here carries");
    }
    now(op) {
        return this.known[op.key] || op;
    }
    /** When it was and with which card, as far as they are known. */
    details(op) {
        const sent = luxon.DateTime.now().minus({seconds: op.elapsed || 0});
        return [op.elapsed && sent.toFormat("dd/MM HH:mm"), op.card].filter(Boolean).join(", ");
    }
    reverse(op) {
        this.props.pos.servipay.voidKey(op.key);
    }
}

/** Asks which of several payments a refund gives back. */
class ChoiceDialog extends Component {
    static template = "paypercloud_servipay_pos.Choice";
    static components = {Dialog};
    static props = ["title", "choices", "choose", "close"];

    choose(choice) {
        this.props.choose(choice.key);
        this.props.close();
    }
}

Object.assign(compat.dialogs, {
    orphans: OrphansDialog,
    resolve: ResolveDialog,
    choice: ChoiceDialog,
    manager: ManagerDialog,
});
