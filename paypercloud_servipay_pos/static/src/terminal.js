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

const {allLines, isRecorded, methodOf, orderOf, orderName, sessionOf, setStatus} = compat;
const PATIENCE = 20000; // ms
const ROUTE = "/websocket/servipay/pos/";
const FORGOTTEN = 600; // s: a payment that no order carries for so long is told to whoever opens the till

export const isOurs = (line) => Boolean(methodOf(line)?.servipay_provider);
/** Whether money may be moving for a line: a key stands on it before anything is sent. */
const isMoving = (line) =>
    isOurs(line) && Boolean(line.servipay_key) && !["done", "reversed"].includes(line.payment_status);

/** ms until the server is asked again, for an operation that is open since `age` ms: 1 s at first, 60 s in the end. */
const pause = (age) => Math.min(Math.max(age / 30, 1000), 60000);

/** Whether the server has read a request and refused it: then nothing was sent. */
const isRefusal = (error) =>
    /^odoo\.exceptions\.(User|Access|Validation|Missing)Error$/.test(error?.data?.name);

class Follower {
    constructor(pos) {
        this.pos = pos;
        this.operations = reactive({}); // key -> snapshot, and `at`: when it came
        this.begun = {}; // key -> when it was offered, while no answer came
        this.requests = {}; // key -> what was asked, until the server is known to have it
        this.spent = new Set(); // keys that must not be sent any more
        this.promises = {}; // key -> what core waits for
        this.asking = false;
    }
    lineOf(key) {
        return allLines(this.pos).find((line) => line.servipay_key === key);
    }
    isOpen(line) {
        return isMoving(line) || this.operations[line.servipay_key]?.open;
    }
    route(name, params) {
        return compat.callRoute(this.pos, ROUTE + name, {session_id: sessionOf(this.pos).id, ...params});
    }
    read(method, ...args) {
        const {silent} = this.pos.env.services.orm;
        return silent.call("pos.payment.method", method, [sessionOf(this.pos).id, ...args]);
    }
    tell(title, body) {
        this.pos.env.services.dialog.add(AlertDialog, {title, body});
    }

    // ------------------------------------------------------------ what the cashier asks for

    /** Pay a line on its terminal. Resolves when the outcome is certain: true, or false when nothing was taken. */
    pay(line) {
        line.servipay_key = line.servipay_key || uuidv4();
        const key = line.servipay_key;
        this.prepare(line);
        setStatus(line, "waitingCard");
        this.send(key, orderOf(line));
        return this.outcome(key);
    }
    /** Take back what a line has paid. Resolves to true when that is certain. */
    void(line) {
        const key = line.servipay_key;
        const outcome = this.outcome(key);
        // whatever became of the request, the server is asked until the void has ended or there is none
        this.attempt(() => this.route("void", {key})).then(() => {
            this.note({key, open: true, revision: undefined});
            this.wake();
        });
        return outcome;
    }
    outcome(key) {
        return new Promise((resolve) => {
            this.promises[key] = resolve;
        });
    }
    prepare(line) {
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
        this.note({key, open: true, activity: _t("Preparing the payment")});
        this.wake();
    }
    async send(key, order) {
        try {
            await compat.keep(this.pos, order);
        } catch (error) {
            // a full disk or a private window must not stop a sale: the server has the key in any case
            console.warn("order not kept", error);
        }
        await this.begin(key);
    }
    async begin(key) {
        // fifty tills that offer it twice a second would fill the server; a link that hangs gives no answer
        if (this.begun[key] > Date.now() - PATIENCE) {
            return;
        }
        this.begun[key] = Date.now();
        try {
            this.learn(await this.route("start", this.requests[key]));
        } catch (error) {
            await (isRefusal(error) ? this.refused(key, error.data.message) : this.doubt(key));
        } finally {
            delete this.begun[key];
        }
    }
    /** A refusal counts only when the server has no operation of this key: an earlier request may have arrived. */
    async refused(key, text) {
        try {
            if ((await this.look([key])).length) {
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
            key,
            open: true,
            revision: undefined, // whatever the server says is news now
            activity: _t("No connection to the server"),
            text: _t(
                "The payment may have reached the terminal. Do not start another one: the till keeps asking."
            ),
        });
        this.wake();
    }
    async cancel(key) {
        this.spent.add(key);
        await this.attempt(() => this.spend(key));
    }
    /** If the request did not arrive yet, the server spends its key: it cannot be sent when it arrives later. */
    spend(key) {
        return this.route("cancel", {key, request: this.requests[key]});
    }
    async inquire(key) {
        await this.attempt(() => this.route("inquire", {key}));
    }
    async resolve(key, outcome, reason) {
        await this.attempt(() => this.route("resolve", {key, outcome, reason}));
    }
    async attempt(call) {
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

    /** Learn what the server knows of keys, but for the revisions that are known here. */
    async look(keys, known) {
        const news = await this.read("servipay_state", keys, known);
        news.forEach((op) => this.learn(op));
        return news;
    }
    note(op) {
        this.operations[op.key] = {...this.operations[op.key], ...op, at: Date.now()};
    }
    learn(op) {
        const known = this.operations[op.key];
        const line = this.lineOf(op.key);
        if ((!known && !line) || known?.revision > op.revision) {
            return;
        }
        if (line && isRecorded(orderOf(line))) {
            delete this.operations[op.key]; // nothing that comes later changes an order that is closed
            return;
        }
        delete this.requests[op.key];
        if ("elsewhere" in op) {
            this.note({key: op.key, open: true, activity: _t("Being paid at %s", op.elsewhere)});
            return;
        }
        this.note(op);
        if (op.state === "unknown") {
            this.release();
        }
        this.show(op, line, !known || known.open);
    }
    show(op, line, news) {
        if (op.open) {
            line && setStatus(line, op.void ? "reversing" : "waitingCard");
            this.wake();
        } else if (line?.payment_status === "reversing") {
            this.endVoid(line, op);
        } else if (news) {
            this.end(op.key, op.state === "approved", op.text, op);
        }
    }
    /** Record an outcome, once. Nothing is guessed: `paid` is the server's word. */
    end(key, paid, text, op = {}) {
        const line = this.lineOf(key);
        delete this.requests[key];
        this.note({key, open: false});
        if (paid && !line) {
            this.release();
            if (!this.operations[key].adopted) {
                this.tellForgotten(op);
            }
            return;
        }
        if (paid) {
            this.record(line, op);
        } else if (line) {
            line.servipay_key = ""; // a new attempt is a new intent
            this.tell(_t("Not paid: %s", orderName(orderOf(line))), text);
        }
        this.finish(key, line, paid ? "done" : "retry", paid);
        if (paid) {
            // after core, which takes it for the same on every line of a terminal
            setTimeout(() => {
                line.can_be_reversed = op.can_void;
            });
        }
    }
    endVoid(line, op) {
        const done = op.state === "reversed";
        if (done) {
            compat.setAmount(line, 0);
        } else if (op.void_text) {
            this.tell(_t("Not voided"), op.void_text);
        }
        this.finish(op.key, line, done ? "reversed" : "done", done);
    }
    /** Let core start payments again: other terminals are free, and for ours the server decides. */
    release() {
        this.pos.paymentTerminalInProgress = false;
    }
    finish(key, line, status, success) {
        const resolve = this.promises[key];
        delete this.promises[key];
        // by their keys: one of them may be a reactive proxy of the other
        const shown = compat.currentOrder(this.pos);
        const here = line && shown && compat.orderUid(orderOf(line)) === compat.orderUid(shown);
        if (line) {
            setStatus(line, status);
        }
        if (resolve && here) {
            resolve(success);
        } else if (resolve) {
            // core would go on with the order that is on the screen, which is another one
            this.release();
        }
    }
    record(line, op) {
        if (Math.abs(line.amount - op.paid) > 1e-6) {
            compat.setAmount(line, op.paid);
            this.tell(_t("Paid in part"), op.text);
        }
        Object.assign(line, op.line);
        if (op.receipt) {
            compat.setReceipt(line, op.receipt);
        }
        if (op.facts) {
            this.pos.env.services.notification.add(op.facts, {sticky: true});
        }
    }
    tellForgotten(op) {
        this.tell(_t("A payment without an order"), op.orphan);
    }

    // ------------------------------------------------------------ asking again

    get openKeys() {
        return Object.keys(this.operations).filter((key) => this.operations[key].open);
    }
    wake() {
        clearTimeout(this.timer);
        const ages = this.openKeys.map((key) => {
            const {at, elapsed} = this.operations[key];
            return Date.now() - at + (elapsed || 0) * 1000;
        });
        if (ages.length && !this.asking) {
            this.timer = setTimeout(() => this.ask(), pause(Math.min(...ages)));
        }
    }
    async ask() {
        this.asking = true;
        try {
            const keys = this.openKeys;
            for (const key of keys.filter((each) => this.requests[each])) {
                await (this.spent.has(key) ? this.spendAgain(key) : this.begin(key));
            }
            const known = Object.fromEntries(keys.map((key) => [key, this.operations[key]?.revision]));
            await this.look(keys, known);
        } catch {
            // no connection: asked again below
        }
        this.asking = false;
        this.wake();
    }
    async spendAgain(key) {
        try {
            this.learn(await this.spend(key));
        } catch (error) {
            if (isRefusal(error)) {
                this.end(key, false, error.data.message); // what is refused now would be refused when it arrives
            }
        }
    }

    // ------------------------------------------------------------ after a reload

    async resume() {
        const lines = allLines(this.pos).filter((line) => isMoving(line) && !isRecorded(orderOf(line)));
        try {
            const keys = lines.map((line) => line.servipay_key);
            const known = keys.length ? await this.look(keys) : [];
            const found = known.map((op) => op.key);
            for (const line of lines.filter((each) => isMoving(each) && !found.includes(each.servipay_key))) {
                // its request may still be on its way: the key is spent before a new attempt is offered
                this.spent.add(line.servipay_key);
                this.prepare(line);
            }
            this.adopt(await this.read("servipay_open"));
        } catch {
            setTimeout(() => this.resume(), 5000);
        }
    }
    /** Show what the server knows and no order here carries. */
    adopt(operations) {
        const orphans = operations.filter((op) => !this.lineOf(op.key) && !this.operations[op.key]);
        orphans
            .filter((op) => op.orphan && !op.open && op.elapsed > FORGOTTEN)
            .forEach((op) => this.tellForgotten(op));
        const open = orphans.filter((op) => op.open);
        open.forEach((op) => this.note({...op, adopted: true}));
        if (open.length) {
            this.pos.env.services.dialog.add(compat.dialogs.orphans, {
                pos: this.pos,
                operations: open,
            });
            this.wake();
        }
    }
}

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
        setStatus(line, "waitingCard");
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
        compat.listen(this, "SERVIPAY_OPERATION", (op) => this.servipay.learn(op));
        if (methods.length) {
            this.servipay.resume();
        }
    },
});
