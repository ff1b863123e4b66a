/** @odoo-module */
/*
 * One till's view of its terminal operations. The server decides; this only shows and records what it says.
 *
 * The bus tells that there are news of a key, and nothing else: its channel is public. They are read from the server by
 * whoever knows the key; while something is open, the server is asked now and then too. Whatever arrives is put on the
 * line that bears the key, in whatever order that is.
 */
import {reactive} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import * as compat from "@paypercloud_servipay_pos/compat/compat";
import {isMoving} from "@paypercloud_servipay_pos/frozen";
import {record} from "@paypercloud_servipay_pos/record";
import {Requests} from "@paypercloud_servipay_pos/requests";

const {allLines, isRecorded, orderName, orderOf, setStatus} = compat;
const TOGETHER = 50; // ms in which news are gathered, and read at once
const MINUTE = 60000; // ms between two looks for payments that no order carries

/** ms until the server is asked again, for an operation that is open since `age` ms: 1 s at first, 60 s in the end. */
const pause = (age) => Math.min(Math.max(age / 30, 1000), 60000);

export class Follower extends Requests {
    constructor(pos) {
        super(pos);
        this.operations = reactive({}); // key -> snapshot, and `at`: when it came
        this.reasons = reactive({}); // payment line -> why it was not paid
        this.orphans = reactive([]); // snapshots that the one dialog about them shows
        this.originals = {}; // key of a refund -> key of the payment that it gives back
        this.news = new Set(); // keys that the bus has spoken of
        this.asking = false;
    }
    lineOf(key) {
        return allLines(this.pos).find((line) => line.servipay_key === key);
    }
    isOpen(line) {
        return isMoving(line) || Boolean(this.operations[line.servipay_key]?.open);
    }
    /** Change an order of ours that stands still for everybody else. */
    async unlocked(order, change) {
        this.unlockedUid = compat.orderUid(order);
        try {
            await change();
        } finally {
            this.unlockedUid = null;
        }
    }

    // ------------------------------------------------------------ what the server says

    /** Hear from the bus that there are news of a key. */
    hear({key, revision}) {
        const known = this.operations[key];
        const line = this.lineOf(key);
        if (known ? known.revision >= revision : !line || isRecorded(orderOf(line))) {
            return;
        }
        this.news.add(key);
        this.newsTimer = this.newsTimer || setTimeout(() => this.readNews(), TOGETHER);
    }
    async readNews() {
        const keys = [...this.news];
        this.news.clear();
        try {
            await this.look(keys, this.revisions(keys));
        } catch {
            // no connection: whatever is open is asked about in any case
        }
        this.newsTimer = this.news.size ? setTimeout(() => this.readNews(), TOGETHER) : 0;
    }
    revisions(keys) {
        return Object.fromEntries(keys.map((key) => [key, this.operations[key]?.revision]));
    }
    /** Learn what the server knows of keys, but for the revisions that are known here. */
    async look(keys, known) {
        const news = await this.server.read("servipay_state", keys, known);
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
    async end(key, paid, text, op = {}) {
        const line = this.lineOf(key);
        delete this.requests[key];
        this.note({key, open: false});
        if (paid && !line) {
            this.release();
            this.showOrphans([op]);
            return;
        }
        if (paid) {
            await record(this, line, op);
        } else if (line) {
            line.servipay_key = ""; // a new attempt is a new intent
            this.reasons[compat.lineId(line)] = text;
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
            line.setDirty?.(); // or 18.0 sends nothing of a line that was saved before it was paid
        }
        if (resolve && here) {
            resolve(success);
        } else if (resolve) {
            // core would go on with the order that is on the screen, which is another one
            this.release();
        }
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
            await this.look(keys, this.revisions(keys));
        } catch {
            // no connection: asked again below
        }
        this.asking = false;
        this.wake();
    }

    // ------------------------------------------------------------ after a reload, and what no order carries

    async resume() {
        const lines = allLines(this.pos).filter(
            (line) => isMoving(line) && !this.operations[line.servipay_key] && !isRecorded(orderOf(line))
        );
        try {
            const keys = lines.map((line) => line.servipay_key);
            const known = keys.length ? await this.look(keys) : [];
            const found = known.map((op) => op.key);
            for (const line of lines.filter((each) => isMoving(each) && !found.includes(each.servipay_key))) {
                // its request may still be on its way: the key is spent before a new attempt is offered
                this.spent.add(line.servipay_key);
                this.prepare(line);
            }
            this.adopt(await this.server.read("servipay_open"));
        } catch {
            setTimeout(() => this.resume(), 5000);
            return;
        }
        this.watching = this.watching || setInterval(() => this.watch(), MINUTE);
    }
    /** Look for what another device has begun or taken; what is paid may be on its way to an order for a minute. */
    async watch() {
        try {
            const before = this.seen || [];
            const operations = await this.server.read("servipay_open");
            this.seen = operations.map((op) => op.key);
            this.adopt(operations.filter((op) => op.open || before.includes(op.key)));
        } catch {
            // looked at again in a minute
        }
    }
    /** Show what the server knows and no order carries: once each. */
    adopt(operations) {
        const orphans = operations.filter(
            (op) => !compat.hasKey(this.pos, op.key) && !this.operations[op.key]
        );
        this.showOrphans(orphans.filter((op) => op.open || op.orphan));
    }
    /** All of them in one dialog, which grows while it is open. */
    showOrphans(operations) {
        const isShown = this.orphans.length > 0;
        const unseen = operations.filter((op) => !this.orphans.some(({key}) => key === op.key));
        operations.forEach((op) => this.note(op));
        this.orphans.push(...unseen);
        if (unseen.length && !isShown) {
            this.pos.env.services.dialog.add(
                compat.dialogs.orphans,
                {pos: this.pos, operations: this.orphans},
                {onClose: () => this.orphans.splice(0)}
            );
        }
        this.wake();
    }
}
