/** @odoo-module */
/*
 * What differs between the 17.0, 18.0 and 19.0 point of sale. Everything else is written in 19.0 terms.
 *
 * A static import of a path that one series lacks stops the whole bundle there: a file per series, which an
 * `ir.asset` record loads, has the paths, under one alias. Nothing is looked up while files load: in Odoo's own unit
 * tests a module is there only when another one imports it.
 */
import {
    ClosePosPopup,
    Order,
    Orderline,
    PaymentInterface,
    PosStore,
    Validation,
    rpc,
} from "paypercloud_servipay_pos.series";

export {ClosePosPopup, Order, Orderline, PosStore, Validation};

/** Dialogs by name, so that who opens one need not import it. */
export const dialogs = {};
/** Handlers of server notifications by type; 17.0 reads them, see 17.0/. */
export const notifications = {};

/** Have a handler called with the payload of each server notification of a type. */
export function listen(pos, type, handler) {
    notifications[type] = handler;
    const heard = pos.data?.connectWebSocket;
    // the first 18.0 had another word for it
    heard ? heard.call(pos.data, type, handler) : pos.onNotified?.(type, handler);
}

export const callRoute = (route, params) => rpc(route, params, {silent: true});

export const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** Call a method by its 19.0 name; before, its words were joined by underscores. */
const call = (object, name, ...args) => object[object[name] ? name : snake(name)](...args);

export const sessionOf = (pos) => pos.session || pos.pos_session;
export const methodOf = (line) => line.payment_method_id || line.payment_method;
export const orderOf = (line) => line.pos_order_id || line.order;
export const linesOf = (order) => order.payment_ids || order.paymentlines;
export const currentOrder = (pos) => call(pos, "getOrder");
export const methodsOf = (pos) => pos.models?.["pos.payment.method"].getAll() || pos.payment_methods;

// an order's key and number; 17.0 knows its orders by their number only
export const orderUid = (order) => order.uuid || order.name;
export const orderName = (order) => order.pos_reference || order.name;
/** Words that say which order (or table) they are about: another one may be on the screen. */
export const about = (order, words) => `${order.getName?.() || orderName(order)}: ${words}`;

export const lineId = (line) => line.uuid || line.cid;
export const lineById = (pos, id) => allLines(pos).find((line) => lineId(line) === id);
/** What an order asks for (below zero: gives back), in major units. */
export const totalOf = (order) => ("totalDue" in order ? order.totalDue : order.get_total_with_tax());
/** The server's id of an order that is saved there. */
export const serverId = (order) => [order.server_id, order.id].find(Number.isInteger);
export const money = (pos, amount) => pos.env.utils.formatCurrency(amount);

/** Whether the till has an order that bears a key; 17.0 keeps paid ones that are not sent yet elsewhere. */
export function hasKey(pos, key) {
    const unsent = pos.models ? [] : pos.db.get_orders().flatMap((order) => order.data.statement_ids);
    return (
        allLines(pos).some((line) => line.servipay_key === key) ||
        unsent.some((statement) => statement[2].servipay_key === key)
    );
}

export function allLines(pos) {
    return pos.models
        ? pos.models["pos.payment"].getAll()
        : pos.get_order_list().flatMap((order) => [...order.paymentlines]);
}

export const setStatus = (line, status) => call(line, "setPaymentStatus", status);
export const setAmount = (line, amount) => call(line, "setAmount", amount);
export const setPrice = (line, price) => call(line, "setUnitPrice", price);

export function setReceipt(line, text) {
    line.ticket = "";
    call(line, "setReceiptInfo", text);
}

/** Keep an order in the browser now: core waits a moment, and a reload in that moment would lose the key. */
export async function keep(pos, order) {
    const data = pos.data || {};
    const write = data.synchronizeLocalDataInIndexedDB || data.syncDataWithIndexedDB;
    await (write ? write.call(data, pos.data.records) : order.save_to_db());
    if (data.syncDataWithIndexedDB) {
        await data.indexedDB.readAll(["pos.payment"]); // 18.0 does not wait for what it writes; a reading does
    }
}

/** Save an order on the server as it is; it stays open. Rejects when the server does not have it then. */
export async function saveDraft(pos, order) {
    if (!pos.models) {
        order.save_to_db();
        await pos._save_to_server(pos.db.get_unpaid_orders_to_sync([order.uid]), {draft: true});
    } else if (pos.data.syncDataWithIndexedDB) {
        pos.addPendingOrder([order.id]); // 18.0
        await pos.syncAllOrders({throw: true});
    } else {
        await pos.syncAllOrders({orders: [order], force: true, throw: true});
    }
    // 18.0 makes the records anew when the server's answer comes: the one that was saved has another identity
    const saved = pos.models ? pos.models["pos.order"].getBy("uuid", order.uuid) : order;
    if (!serverId(saved)) {
        throw new Error("The server has not saved the order");
    }
}

/** The product that tips are sold as; the shop's own, else the one that Odoo comes with. */
export function tipProduct(pos) {
    const found = pos.config.servipay_tip_product_id;
    return pos.models ? found : found && pos.db.get_product_by_id(found[0]);
}

/** Put a product on an order at a price; returns the order's line. */
export async function sell(pos, order, product, price) {
    if (!pos.models) {
        await order.add_product(product, {quantity: 1, price, merge: false, extras: {price_type: "manual"}});
        return order.get_last_orderline();
    }
    const template = product.product_tmpl_id;
    const vals = {product_id: product, product_tmpl_id: template, price_unit: price, order_id: order};
    return pos.addLineToOrder(vals, order, {}, false);
}

/** Whether an order is closed: paid and validated, or cancelled. */
export const isRecorded = (order) => Boolean(order.finalized);

/** Server ids of the order lines that an order gives back. */
export function refundedLineIds(order) {
    const lines = order.lines || order.orderlines;
    const ids = lines.map((line) => line.refunded_orderline_id?.id || line.refunded_orderline_id);
    return ids.filter((id) => Number.isInteger(id));
}

/** Payment interface with the 19.0 method names on every series. */
export class Terminal extends PaymentInterface {
    get paymentMethod() {
        return methodOf(this);
    }
    getLine(id) {
        return lineById(this.pos, id);
    }
    // 17.0 and 18.0
    get fast_payments() {
        return this.fastPayments;
    }
}

for (const name of ["sendPaymentRequest", "sendPaymentCancel", "sendPaymentReversal"]) {
    Terminal.prototype[snake(name)] = function (...args) {
        return this[name](...args);
    };
}

/** Who works at the till, where employees log in there (pos_hr): a record with a number, or nothing. */
export function employeeOf(pos) {
    const cashier = pos.config.module_pos_hr && call(pos, "getCashier");
    return cashier?.id ? cashier : undefined;
}
export const isManager = (employee) => (employee._role || employee.role) === "manager";
export const managersOf = (pos) => {
    const employees = pos.models ? pos.models["hr.employee"]?.getAll() : pos.employees;
    return (employees || []).filter(isManager);
};
