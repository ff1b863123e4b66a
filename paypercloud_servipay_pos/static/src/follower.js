/** @odoo-module */
/*
 * One till's view of its terminal operations. The server decides; this only shows and records what it says.
 *
 * An operation's key stands on its payment line before anything is asked. News come over the bus; while something is
 * open, the server is asked too. Whatever arrives is put on the line that bears the key, in whatever order that is.
 */
import {reactive} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {AlertDialog} from "@web/core/confirmation_dialog/confirmation_dialog";
import {uuidv4} from "@point_of_sale/utils";
import * as compat from "@paypercloud_servipay_pos/compat/compat";

const {allLines, methodOf, orderOf, orderName, setStatus} = compat;
const ROUTE = "/websocket/servipay/pos/";
const SETTLED = ["approved", "declined", "cancelled", "failed", "reversed"];
const REFUSALS = ["UserError", "AccessError", "ValidationError", "MissingError"];
const FORGOTTEN = 600; // s: a payment that no order carries for so long is told to whoever opens the till

export const isOpen = (op) => Boolean(op) && (!SETTLED.includes(op.state) || op.contradicted);
export const isOurs = (line) => Boolean(methodOf(line)?.servipay_provider);

/** ms until the server is asked again, for an operation that is open since `age` ms. */
export function pause(age) {
    return age < 30000 ? 1000 : age < 180000 ? 2000 : 5000;
}

/** The amount a line gets: what was paid when that is less than what was asked; a refund is below zero. */
export function paidAmount(op) {
    const paid = op.approved_amount > 0 && op.approved_amount < op.amount ? op.approved_amount : op.amount;
    return op.kind === "refund" ? -paid : paid;
}

/** Whether the server has read a request and refused it: then nothing was sent. */
export function isRefusal(error) {
    const name = error?.data?.name || "";
    return name.startsWith("odoo.exceptions.") && REFUSALS.includes(name.split(".").pop());
}

export class Follower {
    constructor(pos) {
        this.pos = pos;
        this.operations = reactive({}); // key -> snapshot, and `at`: when it came
        this.requests = {}; // key -> what was asked, until the server is known to have it
        this.promises = {}; // key -> what core waits for
        this.timer = null;
    }
    get sessionId() {
        return compat.sessionOf(this.pos).id;
    }
    lineOf(key) {
        return allLines(this.pos).find((line) => line.servipay_key === key);
    }
    operationOf(line) {
        return line.servipay_key ? this.operations[line.servipay_key] : undefined;
    }
    route(name, params) {
        return compat.callRoute(this.pos, ROUTE + name, {session_id: this.sessionId, ...params});
    }
    read(method, ...args) {
        const {orm} = this.pos.env.services;
        return orm.silent.call("pos.payment.method", method, [this.sessionId, ...args]);
    }
    tell(title, body) {
        this.pos.env.services.dialog.add(AlertDialog, {title, body});
    }

    // ------------------------------------------------------------ what the cashier asks for

    /** Pay a line on its terminal. Resolves when the outcome is certain: true, or false when nothing was taken. */
    pay(line) {
        line.servipay_key = line.servipay_key || uuidv4();
        const key = line.servipay_key;
        const order = orderOf(line);
        this.requests[key] = {
            method_id: methodOf(line).id,
            key,
            amount: line.amount,
            order: {
                uid: compat.orderUid(order),
                name: orderName(order),
                line_uid: line.uuid || line.cid,
                refunded_line_ids: compat.refundedLineIds(order),
            },
        };
        setStatus(line, "waitingCard");
        const outcome = new Promise((resolve) => {
            this.promises[key] = resolve;
        });
        this.send(key, order);
        return outcome;
    }
    async send(key, order) {
        try {
            await compat.keep(this.pos, order);
        } catch (error) {
            // a full disk or a private window must not stop a sale: the server has the key in any case
            console.warn("This order could not be kept in the browser", error);
        }
        await this.begin(key);
    }
    async begin(key) {
        try {
            this.learn(await this.route("start", this.requests[key]));
        } catch (error) {
            if (isRefusal(error)) {
                await this.refused(key, error.data.message);
            } else {
                this.doubt(key);
            }
        }
    }
    /** A refusal counts only when the server has no operation of this key: an earlier request may have arrived. */
    async refused(key, text) {
        try {
            const known = await this.read("servipay_state", [key]);
            if (known.length) {
                known.forEach((op) => this.learn(op));
                return;
            }
        } catch (error) {
            if (!isRefusal(error)) {
                this.doubt(key);
                return;
            }
        }
        this.end(key, false, text);
    }
    /** The request may have arrived or not: the same key is offered again until the server answers. */
    doubt(key) {
        this.note({
            ...this.operations[key],
            key,
            state: "draft",
            activity: _t("No connection to the server"),
            text: _t(
                "The payment may have reached the terminal. Do not start another one: the till keeps asking."
            ),
        });
        this.wake();
    }
    async cancel(key) {
        await this.attempt(key, () => this.route("cancel", {key, request: this.requests[key] || null}));
    }
    async inquire(key) {
        await this.attempt(key, () => this.route("inquire", {key}));
    }
    async resolve(key, outcome, reason) {
        await this.attempt(key, () => this.route("resolve", {key, outcome, reason}));
    }
    async attempt(key, call) {
        try {
            this.learn(await call());
        } catch (error) {
            this.tell(
                _t("Payment terminal"),
                error?.data?.message || _t("The server does not answer. Nothing has changed; try again.")
            );
        }
    }

    // ------------------------------------------------------------ what the server says

    note(op) {
        this.operations[op.key] = {...this.operations[op.key], ...op, at: Date.now()};
    }
    learn(op) {
        const known = this.operations[op.key];
        const line = this.lineOf(op.key);
        if ((!known && !line) || known?.revision > op.revision) {
            return;
        }
        const wasOpen = !known || isOpen(known);
        delete this.requests[op.key];
        this.note(op);
        if (op.state === "unknown") {
            this.release();
        }
        if (isOpen(op)) {
            if (line && line.payment_status !== "waitingCard") {
                setStatus(line, "waitingCard");
            }
            this.wake();
        } else if (wasOpen) {
            this.end(op.key, op.state === "approved", op.text, op);
        }
    }
    /** Record an outcome, once. Nothing is guessed: `paid` is the server's word. */
    end(key, paid, text, op = {}) {
        const line = this.lineOf(key);
        const resolve = this.promises[key];
        delete this.promises[key];
        delete this.requests[key];
        if (paid && !line) {
            this.tellForgotten(op);
            return;
        }
        if (paid) {
            this.record(line, op);
        } else if (line) {
            line.servipay_key = ""; // a new attempt is a new intent
            this.tell(_t("Not paid: %s", orderName(orderOf(line))), this.whyNot(text, op.busy));
        }
        this.finish(line, resolve, paid);
    }
    /** Let core start payments again: other terminals are free, and for ours the server decides. */
    release() {
        this.pos.paymentTerminalInProgress = false;
    }
    finish(line, resolve, paid) {
        // by their keys: one of them may be a reactive proxy of the other
        const shown = compat.currentOrder(this.pos);
        const here = line && shown && compat.orderUid(orderOf(line)) === compat.orderUid(shown);
        if (line) {
            setStatus(line, paid ? "done" : "retry");
        }
        if (resolve && here) {
            resolve(paid);
        } else if (resolve) {
            // core would go on with the order that is on the screen, which is another one
            this.release();
        }
    }
    record(line, op) {
        if (Math.abs(line.amount - paidAmount(op)) > 1e-6) {
            compat.setAmount(line, paidAmount(op));
            this.tell(_t("Paid in part"), op.text);
        }
        line.transaction_id = op.external_ref || op.authorization_code;
        line.card_type = op.card_brand;
        line.card_brand = op.card_brand;
        line.card_no = (op.masked_pan || "").slice(-4);
        line.payment_method_authcode = op.authorization_code;
        if (op.receipt) {
            compat.setReceipt(line, op.receipt);
        }
    }
    whyNot(text, busy) {
        if (!busy) {
            return text;
        }
        const {till, user, amount, since} = busy;
        return _t(
            "The terminal is busy: %s of %s (%s) is being paid on it for %s s. Nothing was sent for this order. Wait until it has ended, then send again.",
            amount,
            till,
            user,
            since
        );
    }
    tellForgotten(op) {
        this.tell(
            _t("A payment without an order"),
            _t(
                "%s %s were paid on the terminal for %s (%s), but no order here carries this payment. Do not take the money again: find the order or ask a manager to refund it.",
                op.amount,
                op.currency,
                op.order_name || "?",
                op.name
            )
        );
    }

    // ------------------------------------------------------------ asking again

    get openKeys() {
        return Object.keys(this.operations).filter((key) => isOpen(this.operations[key]));
    }
    wake() {
        if (this.timer || !this.openKeys.length) {
            return;
        }
        const youngest = Math.min(...this.openKeys.map((key) => this.operations[key].elapsed || 0));
        this.timer = setTimeout(() => this.ask(), pause(youngest * 1000));
    }
    async ask() {
        try {
            const keys = this.openKeys;
            for (const key of keys.filter((each) => this.requests[each])) {
                await this.begin(key);
            }
            for (const op of await this.read("servipay_state", keys)) {
                this.learn(op);
            }
        } catch {
            // no connection: asked again below
        } finally {
            this.timer = null;
            this.wake();
        }
    }

    // ------------------------------------------------------------ after a reload

    async resume() {
        if (!compat.methodsOf(this.pos).some((method) => method.servipay_provider)) {
            return;
        }
        const lines = allLines(this.pos).filter(
            (line) => line.servipay_key && isOurs(line) && !["done", "reversed"].includes(line.payment_status)
        );
        const keys = lines.map((line) => line.servipay_key);
        try {
            const states = keys.length ? await this.read("servipay_state", keys) : [];
            const known = new Set(states.map((op) => op.key));
            states.forEach((op) => this.learn(op));
            for (const line of lines.filter((each) => !known.has(each.servipay_key))) {
                line.servipay_key = "";
                setStatus(line, "retry"); // the server has never heard of it: nothing was sent
            }
            for (const op of await this.read("servipay_open")) {
                if (!this.lineOf(op.key) && op.state === "approved" && op.elapsed > FORGOTTEN) {
                    this.tellForgotten(op);
                }
            }
        } catch {
            setTimeout(() => this.resume(), pause(Infinity));
        }
    }
}

compat.notifications.add("SERVIPAY_OPERATION", (pos, op) => pos.servipay?.learn(op));

patch(compat.PosStore.prototype, {
    async setup() {
        await super.setup(...arguments);
        this.servipay = new Follower(this);
        this.servipay.resume();
    },
});
