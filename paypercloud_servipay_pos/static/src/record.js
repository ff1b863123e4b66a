/** @odoo-module */
/*
 * What a payment puts on its line and its order. The books follow the terminal: a tip that it took is sold on the
 * order, never given back as change.
 */
import {_t} from "@web/core/l10n/translation";
import * as compat from "@paypercloud_servipay_pos/compat/compat";

const {orderOf, totalOf} = compat;

/** Half of the smallest coin: what two amounts may differ by and still be the same. */
export const half = (pos) => (pos.currency.rounding || 0.01) / 2;

/** Write what the server says about an approved operation; tells the cashier what differs from what was asked. */
export async function record(follower, line, op) {
    const {pos} = follower;
    const asked = line.amount;
    const more = Math.abs(op.paid) - Math.abs(asked);
    if (more > half(pos) && op.tip) {
        try {
            await sellTip(follower, orderOf(line), Math.min(op.tip, more));
        } catch (error) {
            // the payment is recorded all the same: an order that is paid too much stops before it is validated
            console.error("tip not sold", error);
        }
    }
    if (Math.abs(more) > half(pos)) {
        compat.setAmount(line, op.paid);
    }
    if (more < -half(pos)) {
        follower.tell(_t("Paid in part"), op.text);
    }
    Object.assign(line, op.line);
    if (op.receipt) {
        compat.setReceipt(line, op.receipt);
    }
    if (op.facts) {
        pos.env.services.notification.add(op.facts, {sticky: true});
    }
}

/** Sell a tip on its order; without a product for it the overpaid order stops before it is validated. */
async function sellTip(follower, order, tip) {
    const {pos} = follower;
    const product = compat.tipProduct(pos);
    if (!product) {
        return;
    }
    await follower.unlocked(order, async () => {
        const lines = order.lines || order.orderlines;
        const known = lines.find((each) => (each.product_id || each.product)?.id === product.id);
        const price = known ? (known.price_unit ?? known.price) : 0;
        const before = totalOf(order);
        const line = known || (await compat.sell(pos, order, product, tip));
        known && compat.setPrice(line, price + tip);
        const added = totalOf(order) - before;
        if (line && added > 0 && Math.abs(added - tip) > half(pos)) {
            compat.setPrice(line, price + (tip * tip) / added); // a tax comes on top: the tip holds it
        }
        order.is_tipped = true;
        order.tip_amount = (order.tip_amount || 0) + tip;
    });
    const shown = compat.money(pos, tip);
    pos.env.services.notification.add(_t("The customer added a tip of %s on the terminal.", shown), {
        type: "success",
    });
}
