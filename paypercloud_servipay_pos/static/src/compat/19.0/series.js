/** @odoo-module alias=paypercloud_servipay_pos.series default=false */
// where 19.0 keeps what was moved between the series; the alias is the same in each of them
import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";

export {PaymentInterface} from "@point_of_sale/app/utils/payment/payment_interface";
export {PosStore} from "@point_of_sale/app/services/pos_store";
export {ClosePosPopup} from "@point_of_sale/app/components/popups/closing_popup/closing_popup";
export {PosOrder as Order} from "@point_of_sale/app/models/pos_order";
export {PosOrderline as Orderline} from "@point_of_sale/app/models/pos_order_line";
export {rpc} from "@web/core/network/rpc";
// who validates an order, and so is asked whether it may be: its `validateOrder`
export const Validation = OrderPaymentValidation;
