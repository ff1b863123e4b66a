/** @odoo-module alias=paypercloud_servipay_pos.series default=false */
export {PaymentInterface} from "@point_of_sale/app/payment/payment_interface";
export {PosStore} from "@point_of_sale/app/store/pos_store";
export {ClosePosPopup} from "@point_of_sale/app/navbar/closing_popup/closing_popup";
export {Order, Orderline} from "@point_of_sale/app/store/models";
export {PaymentScreen as Validation} from "@point_of_sale/app/screens/payment_screen/payment_screen";
export {jsonrpc as rpc} from "@web/core/network/rpc_service";
