/** @odoo-module alias=paypercloud_servipay_pos.series default=false */
export {PaymentInterface} from "@point_of_sale/app/payment/payment_interface";
export {PosStore} from "@point_of_sale/app/store/pos_store";
export {ClosePosPopup} from "@point_of_sale/app/navbar/closing_popup/closing_popup";
export {PosOrder as Order} from "@point_of_sale/app/models/pos_order";
export {PosOrderline as Orderline} from "@point_of_sale/app/models/pos_order_line";
export {PaymentScreen as Validation} from "@point_of_sale/app/screens/payment_screen/payment_screen";
export {rpc} from "@web/core/network/rpc";
