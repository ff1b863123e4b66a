/** @odoo-module */
/*
 * What the cashier asks the server for. A key stands on the payment line before anything is sent, and the same request
 * is offered under it until the server is known to have it.
 */
import {toRaw} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {AlertDialog, ConfirmationDialog} from "@web/core/confirmation_dialog/confirmation_dialog";
import {uuidv4} from "@point_of_sale/utils";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {Server, isDenied, isRefusal} from "@paypercloud_servipay_pos/server";
import {half} from "@paypercloud_servipay_pos/record";

const {methodOf, orderName, orderOf, setStatus} = compat;

export class Requests {
    constructor(pos) {
        this.pos = pos;
        this.server = new Server(pos);
        this.begun = new Set(); // keys that are being offered
        this.requests = {}; // key -> what was asked, until the server is known to have it
        this.spent = new Set(); // keys that must not be sent any more
        this.promises = {}; // key -> what core waits for
        this.saying = new Set(); // what dialogs that are open say
    }
    tell(title, body, Dialog = AlertDialog, more = {}) {
        if (!this.saying.has(body)) {
            this.saying.add(body);
            const onClose = () => this.saying.delete(body);
            this.pos.env.services.dialog.add(Dialog, {title, body, ...more}, {onClose});
        }
    }
    /** Say that a card has paid what somebody is about to throw away or change. */
    tellPaid(line) {
        const shown = compat.money(this.pos, Math.abs(line.amount));
        const words =
            line.amount < 0
                ? _t("%s were given back for this order, which stands still. Validate it.", shown)
                : _t(
                      "%s were paid by card for this order, which stands still until it is validated. Validate it, or reverse the payment first.",
                      shown
                  );
        const title = _t("This order was paid by card");
        const body = compat.about(orderOf(line), words);
        if (line.amount > 0 && methodOf(line).servipay_can_void) {
            // the first button has the focus, and a scanner's next code ends with Enter: it must change nothing
            this.tell(title, body, ConfirmationDialog, {
                confirmLabel: _t("Keep it"),
                confirm: () => undefined,
                cancelLabel: _t("Reverse the payment"),
                cancel: () => this.reverse(line),
                dismiss: () => undefined,
            });
        } else {
            this.tell(title, body);
        }
    }

    // ------------------------------------------------------------ payments

    /** Pay a line on its terminal. Resolves when the outcome is certain: true, or false when nothing was taken. */
    async pay(line) {
        const order = orderOf(line);
        if (compat.totalOf(order) < 0 && line.amount > 0) {
            const shown = compat.money(this.pos, -line.amount);
            return this.decline(
                line,
                _t("This order gives money back: type the amount with a minus, %s. Nothing was sent.", shown)
            );
        }
        line.servipay_key = line.servipay_key || uuidv4();
        const key = line.servipay_key;
        // known from now on: whoever meets an unknown key on a line takes it for lost, and spends it
        this.note({key, open: true, activity: _t("Preparing the payment")});
        if (line.amount < 0 && !(await this.prepareRefund(line))) {
            return false;
        }
        const kept = this.lineOf(key) || line; // saving an order may read its lines anew
        this.prepare(kept);
        setStatus(kept, "waitingCard");
        this.send(key, orderOf(kept));
        const outcome = this.outcome(key);
        if (toRaw(kept) === toRaw(line)) {
            return outcome;
        }
        // core would go on with records that are gone: the cashier validates the order
        outcome.then(() => this.release());
        return new Promise(() => undefined);
    }
    /** End an attempt of which nothing was sent. */
    decline(line, text) {
        delete this.operations[line.servipay_key];
        line.servipay_key = "";
        setStatus(line, "retry");
        this.release();
        this.reasons[compat.lineId(line)] = text;
        this.tell(_t("Not paid: %s", orderName(orderOf(line))), text);
        return false;
    }
    /** Save a refund's order, which bounds what may be given back, and choose the card when several would do. */
    async prepareRefund(line) {
        const order = orderOf(line);
        const key = line.servipay_key;
        try {
            await compat.saveDraft(this.pos, order);
        } catch (error) {
            const why = error?.data?.message || _t("The server does not answer.");
            return this.decline(
                this.lineOf(key) || line,
                _t("The refund could not be saved: %s Nothing was sent.", why)
            );
        }
        const original = await this.chooseOriginal(this.lineOf(key) || line);
        if (original === false) {
            return this.decline(this.lineOf(key) || line, _t("No card was chosen. Nothing was sent."));
        }
        this.originals[key] = original;
        return true;
    }
    /** Return the key of the payment to give back; undefined: the server finds it; false: the cashier chose none. */
    async chooseOriginal(line) {
        let choices = [];
        try {
            const {order} = this.intent(line);
            choices = await this.server.read(
                "servipay_refund_choices",
                methodOf(line).id,
                Math.abs(line.amount),
                order
            );
        } catch {
            return undefined;
        }
        const exact = choices.find(({rest}) => Math.abs(rest + line.amount) < half(this.pos));
        if (exact || choices.length < 2) {
            return (exact || choices[0])?.key;
        }
        return new Promise((resolve) => {
            this.pos.env.services.dialog.add(
                compat.dialogs.choice,
                {title: _t("Which card gets the money back?"), choices, choose: resolve},
                {onClose: () => resolve(false)}
            );
        });
    }
    /** Take back what a line has paid. Resolves to true when that is certain. */
    void(line) {
        const key = line.servipay_key;
        const outcome = this.outcome(key);
        this.voidKey(key);
        return outcome;
    }
    async voidKey(key) {
        await this.attempt(() => this.asAllowed((who) => this.server.route("void", {key}, who)));
        // whatever became of the request, the server is asked until the void has ended or there is none
        this.note({key, open: true, revision: undefined});
        this.wake();
    }
    /** Reverse a line as core's own button does. */
    async reverse(line) {
        setStatus(line, "reversing");
        const done = await this.void(line);
        setStatus(line, done ? "reversed" : "done");
    }
    outcome(key) {
        return new Promise((resolve) => {
            this.promises[key] = resolve;
        });
    }
    /** Return what the server is told of a payment line. */
    intent(line) {
        const order = orderOf(line);
        const key = line.servipay_key;
        return {
            method_id: methodOf(line).id,
            key,
            amount: line.amount,
            order: {
                uid: compat.orderUid(order),
                name: orderName(order),
                line_uid: compat.lineId(line),
                refunded_line_ids: compat.refundedLineIds(order),
                ...(compat.serverId(order) && {id: compat.serverId(order)}),
            },
            ...(this.originals[key] && {original_key: this.originals[key]}),
        };
    }
    prepare(line) {
        const key = line.servipay_key;
        delete this.reasons[compat.lineId(line)];
        this.requests[key] = this.intent(line);
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
        if (this.begun.has(key)) {
            return; // every offer ends, with an answer or in silence: two at a time would only fill the server
        }
        this.begun.add(key);
        try {
            this.learn(await this.asAllowed((who) => this.server.route("start", this.requests[key], who)));
        } catch (error) {
            await (isRefusal(error) ? this.refused(key, error.data.message) : this.doubt(key));
        } finally {
            this.begun.delete(key);
        }
    }
    /** Make a call; where only a manager may make it, a manager is asked for, who types his PIN. */
    async asAllowed(call) {
        try {
            return await call();
        } catch (error) {
            const manager = isDenied(error) && (await this.askManager(error.data.message));
            if (!manager) {
                throw error;
            }
            return call(manager);
        }
    }
    /** Return {employee_id, pin} of a manager, undefined where employees do not log in or none came. */
    async askManager(why) {
        const managers = compat.managersOf(this.pos);
        if (!managers.length) {
            return undefined;
        }
        return new Promise((resolve) => {
            const onClose = () => resolve(undefined);
            const props = {why, managers, choose: resolve};
            this.pos.env.services.dialog.add(compat.dialogs.manager, props, {onClose});
        });
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

    // ------------------------------------------------------------ what runs already

    async cancel(key) {
        this.spent.add(key);
        await this.attempt(() => this.spend(key));
    }
    /** If the request did not arrive yet, the server spends its key: it cannot be sent when it arrives later. */
    spend(key) {
        return this.server.route("cancel", {key, request: this.requests[key]});
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
    inquire(key) {
        return this.attempt(() => this.server.route("inquire", {key}));
    }
    /** Tell the server what a manager knows; amount: what really was paid, null for all of it. */
    resolve(key, {outcome, reason, amount, cashier}) {
        return this.attempt(() => this.server.route("resolve", {key, outcome, reason, amount}, cashier));
    }
    async attempt(call) {
        try {
            this.learn(await call());
        } catch (error) {
            this.tell(
                _t("Payment terminal"),
                error?.data?.message ||
                    _t(
                        "The server does not answer. Wait until the till shows what has changed, then try again."
                    )
            );
        }
    }
}
