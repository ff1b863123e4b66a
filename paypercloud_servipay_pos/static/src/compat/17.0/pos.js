/** @odoo-module */
import {patch} from "@web/core/utils/patch";
import {PosBus} from "@point_of_sale/app/bus/pos_bus_service";
import {Payment} from "@point_of_sale/app/store/models";
import {notifications} from "@paypercloud_servipay_pos/compat/compat";

patch(PosBus.prototype, {
    dispatch(message) {
        super.dispatch(...arguments);
        notifications[message.type]?.(message.payload);
    },
});

// 18.0 and later keep and send every column of pos.payment by themselves
patch(Payment.prototype, {
    init_from_JSON(json) {
        super.init_from_JSON(...arguments);
        this.servipay_key = json.servipay_key;
    },
    export_as_JSON() {
        return {...super.export_as_JSON(), servipay_key: this.servipay_key};
    },
});
