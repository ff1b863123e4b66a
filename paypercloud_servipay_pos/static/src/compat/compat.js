/** @odoo-module */
/*
 * What differs between the 17.0, 18.0 and 19.0 point of sale. Everything else is written in 19.0 terms.
 *
 * A static import of a path that one series lacks stops the whole bundle there, so what 19.0 moved is looked up.
 * It belongs to addons whose files come before ours in the bundle.
 */
const modules = odoo.loader.modules;

function oneOf(...names) {
    const found = names.map((name) => modules.get(`@point_of_sale/app/${name}`)).find(Boolean);
    if (!found) {
        throw new Error(`None of these modules is loaded: ${names.join(", ")}`);
    }
    return found;
}

const {PaymentInterface} = oneOf(
    "utils/payment/payment_interface", // 19.0
    "payment/payment_interface" // 17.0, 18.0
);
export const PosStore = oneOf(
    "services/pos_store", // 19.0
    "store/pos_store" // 17.0, 18.0
).PosStore;
export const ClosePosPopup = oneOf(
    "components/popups/closing_popup/closing_popup", // 19.0
    "navbar/closing_popup/closing_popup" // 17.0, 18.0
).ClosePosPopup;

/** Dialogs by name, so that who opens one need not import it. */
export const dialogs = {};
/** Handlers of server notifications by type; 17.0 reads them, see 17.0/. */
export const notifications = {};

/** Have a handler called with the payload of each server notification of a type. */
export function listen(pos, type, handler) {
    notifications[type] = handler;
    pos.data?.connectWebSocket?.(type, handler);
}

export function callRoute(pos, route, params) {
    const rpc = modules.get("@web/core/network/rpc")?.rpc || pos.env.services.rpc;
    return rpc(route, params, {silent: true});
}

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
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

export function allLines(pos) {
    return pos.models
        ? pos.models["pos.payment"].getAll()
        : pos.get_order_list().flatMap((order) => [...order.paymentlines]);
}

export const setStatus = (line, status) => call(line, "setPaymentStatus", status);
export const setAmount = (line, amount) => call(line, "setAmount", amount);

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
        return allLines(this.pos).find((line) => (line.uuid || line.cid) === id);
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
