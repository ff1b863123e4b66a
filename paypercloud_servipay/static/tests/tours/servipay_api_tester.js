/** @odoo-module */
import {registry} from "@web/core/registry";

// 17.0 marks test tours with a key that 18.0 and later refuse
const is17 = !registry.category("web_tour.tours").validationSchema;

registry.category("web_tour.tours").add("servipay_api_tester", {
    ...(is17 ? {test: true} : {}),
    steps: () => [
        {
            content: "amount",
            trigger: '.o_form_view div[name="amount"] input',
            run: is17 ? "text 12.50" : "edit 12.50",
        },
        {
            content: "leave the amount, so that the preview follows it",
            trigger: '.o_form_view div[name="reference"] input',
            run: "click",
        },
        {
            content: "the request is shown before it is sent",
            trigger: '.o_form_view div[name="preview"]:contains("operations/purchase")',
            run: () => {},
        },
        {
            content: "call",
            trigger: 'button[name="action_ask"]:contains("Call API"):visible',
            run: "click",
        },
        {
            content: "confirm",
            trigger: ".modal-footer .btn-primary",
            run: "click",
        },
        {
            content: "it is pending",
            trigger: 'div[name="result_state"]:contains("Pending")',
            run: () => {},
        },
        {
            content: "ask again",
            trigger: 'button[name="action_refresh"]',
            run: "click",
        },
        {
            content: "it is approved",
            trigger: 'div[name="result_state"]:contains("Approved")',
            run: () => {},
        },
    ],
});
