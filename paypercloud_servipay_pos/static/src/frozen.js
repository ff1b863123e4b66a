/** @odoo-module */
/*
 * While money may move, and until a payment is recorded, what it pays for stands still: an order cannot be changed,
 * emptied, merged or thrown away beneath the terminal. Every screen changes orders through the methods named here.
 */
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {ConfirmationDialog} from "@web/core/confirmation_dialog/confirmation_dialog";
import {PaymentScreen} from "@point_of_sale/app/screens/payment_screen/payment_screen";
import {TicketScreen} from "@point_of_sale/app/screens/ticket_screen/ticket_screen";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {half} from "@paypercloud_servipay_pos/record";

const {isRecorded, linesOf, methodOf, orderOf, totalOf} = compat;

let till = null; // the point of sale of this page; records do not know it
export const guardOrdersOf = (pos) => {
    till = pos;
};

export const isOurs = (line) => Boolean(methodOf(line)?.servipay_provider);
/** Whether money may be moving for a line: a key stands on it before anything is sent. */
export const isMoving = (line) =>
    isOurs(line) && Boolean(line.servipay_key) && !["done", "reversed"].includes(line.payment_status);
/** Whether a line's card has paid, and no order has recorded it yet. */
const hasPaid = (line) =>
    isOurs(line) && Boolean(line.servipay_key) && line.payment_status === "done" && line.amount !== 0;

const ownLines = (order) => [...(linesOf(order) || [])].filter(isOurs);
/** What the cards of an order have paid more than it asks for (a refund: given back more), or 0. */
function excess(order) {
    const paid = ownLines(order)
        .filter(hasPaid)
        .reduce((sum, line) => sum + line.amount, 0);
    const total = totalOf(order);
    const more = total < 0 ? total - paid : paid - Math.max(total, 0);
    return paid && more > half(till) ? more : 0;
}

/** Refuse what would part lines from their money; says why, and offers the reversal where it is possible. */
function refuse(lines) {
    const moving = lines.find((line) => till?.servipay.isOpen(line));
    const paid = lines.find(hasPaid);
    if (moving) {
        till.servipay.tell(
            _t("The terminal is still at work"),
            compat.about(
                orderOf(moving),
                _t(
                    "Money may be moving for this payment, so its order stands still. It can be changed or removed when the terminal has answered: cancel it there or ask it."
                )
            )
        );
    } else if (paid && !isRecorded(orderOf(paid))) {
        till.servipay.tellPaid(paid);
        return true;
    }
    return Boolean(moving);
}

/** Whether the content of an order must stay as it is. more: what is wanted only adds to it. */
function standsStill(order, more) {
    if (
        !till?.servipay ||
        !order ||
        isRecorded(order) ||
        till.servipay.unlockedUid === compat.orderUid(order)
    ) {
        return false;
    }
    const lines = ownLines(order);
    const moving = lines.some((line) => till.servipay.isOpen(line));
    // what its cards paid too much may be sold: nothing else mends an overpaid order
    return moving || (lines.some(hasPaid) && !(more && excess(order)));
}
const isFrozen = (order, more) => standsStill(order, more) && refuse(ownLines(order));

/** Have methods of a class refuse while an order is frozen; answer: what they return then. */
function guard(Class, names, orderFrom, answer, same = () => false) {
    for (const name of new Set(names.flatMap((each) => [each, compat.snake(each)]))) {
        if (Class.prototype[name]) {
            patch(Class.prototype, {
                [name](...args) {
                    const refused = !same(this, ...args) && isFrozen(...orderFrom(this, ...args));
                    return refused ? answer : super[name](...args);
                },
            });
        }
    }
}

const ofLine = (line) => [line.order_id || line.order];
/** Whether a value is the one that is there: core writes some again. What is typed is a text, and never the same. */
const unchanged =
    (...names) =>
    (line, value) =>
        names.some((name) => line[name] === value);
/** 17.0 adds a product as a line of nothing and raises it then. */
const rises =
    (...names) =>
    (line, value) => [...ofLine(line), Number(value) > (line[names.find((name) => name in line)] || 0)];
const QUANTITY = ["qty", "quantity"];
const PRICE = ["price_unit", "price"];
guard(compat.Orderline, ["setQuantity"], rises(...QUANTITY), true, unchanged(...QUANTITY));
guard(compat.Orderline, ["setUnitPrice"], rises(...PRICE), undefined, unchanged(...PRICE));
guard(compat.Orderline, ["setDiscount"], ofLine, undefined, unchanged("discount"));

const isOrder = (order) => [order];
// core removes lines of nothing when it validates
const isNothing = (order, line) => !(line.qty || line.quantity);
guard(compat.Order, ["removeOrderline"], isOrder, false, isNothing);
guard(compat.Order, ["setPricelist", "setFiscalPosition"], isOrder);
guard(compat.Order, ["addProduct"], (order) => [order, true]); // 17.0
guard(compat.PosStore, ["addLineToOrder"], (pos, vals, order) => [order, true]);
const idOf = (record) => record?.id || record || 0;
// since 18.0 a fiscal position is written as a field
const sameTaxes = (order, vals) =>
    !("fiscal_position_id" in vals) || idOf(vals.fiscal_position_id) === idOf(order.fiscal_position_id);
guard(compat.Order, ["update"], isOrder, undefined, sameTaxes);

/* An order without a customer may get one, for its invoice: nothing else of it changes then. */
guard(compat.Order, ["setPartner"], isOrder, undefined, (order, partner) =>
    [0, idOf(partner)].includes(idOf(order.partner_id || order.partner))
);
patch(compat.Order.prototype, {
    updatePricelistAndFiscalPosition() {
        return standsStill(this) ? undefined : super.updatePricelistAndFiscalPosition(...arguments);
    },
});

patch(PaymentScreen.prototype, {
    deletePaymentLine(id) {
        const lines = this.paymentLines.filter((line) => compat.lineId(line) === id);
        return refuse(lines) ? undefined : super.deletePaymentLine(...arguments);
    },
});

patch(compat.Validation.prototype, {
    async validateOrder() {
        const order = this.order || this.currentOrder;
        // core drops the lines that are not done when it validates
        if (refuse(ownLines(order).filter((line) => !hasPaid(line)))) {
            return undefined;
        }
        const more = excess(order);
        if (more && !(await confirmChange(order, more))) {
            return undefined;
        }
        return super.validateOrder(...arguments);
    },
});

/** Ask whether what a card has paid too much is to be given back in cash: nobody is to do so unawares. */
function confirmChange(order, more) {
    const shown = {
        more: compat.money(till, more),
        total: compat.money(till, totalOf(order)),
    };
    return new Promise((resolve) => {
        till.env.services.dialog.add(
            ConfirmationDialog,
            {
                title: _t("The card has paid more than this order"),
                body: _t(
                    "%(more)s more than the %(total)s of the order were paid by card. Put what is missing on the order, or reverse the payment. Only if the customer is to have the difference back in cash, go on.",
                    shown
                ),
                confirmLabel: _t("Back to the order"), // it has the focus: a scanner's Enter presses it
                confirm: () => resolve(false),
                cancelLabel: _t("Give %s back in cash", shown.more),
                cancel: () => resolve(true),
                dismiss: () => resolve(false),
            },
            {onClose: () => resolve(false)}
        );
    });
}

// every way of deleting an order asks here first: the store since 18.0, the orders screen in 17.0
const Deleter = compat.PosStore.prototype._onBeforeDeleteOrder ? compat.PosStore : TicketScreen;

patch(Deleter.prototype, {
    async _onBeforeDeleteOrder(order) {
        return !refuse(ownLines(order)) && super._onBeforeDeleteOrder(...arguments);
    },
});

/** Guard what the restaurant's addon adds to the store: it may be loaded after this file, or not be there. */
export function guardTables(pos) {
    const orderBy = (uuid) => pos.models?.["pos.order"].getBy("uuid", uuid);
    const onTable = (table) => (table && pos.getActiveOrdersOnTable?.(table.rootTable || table)) || [];
    const moved = {
        mergeOrders: (...orders) => orders,
        restoreOrdersToOriginalTable: (order) => [order],
        // lines move only where another order is
        transferOrder: (uuid, table, other) => {
            const there = other ? [other] : onTable(table).filter((order) => order.uuid !== uuid);
            return there.length ? [orderBy(uuid), ...there] : [];
        },
        showScreen: (name) => (name === "SplitBillScreen" ? [compat.currentOrder(pos)] : []),
        navigate: (name) => (name === "SplitBillScreen" ? [compat.currentOrder(pos)] : []),
    };
    for (const [name, ordersOf] of Object.entries(moved)) {
        const original = pos[name];
        if (original) {
            pos[name] = function (...args) {
                const orders = ordersOf(...args).filter((order) => order && linesOf(order));
                return orders.some((order) => isFrozen(order)) ? undefined : original.apply(this, args);
            };
        }
    }
}
