/** @odoo-module */
/*
 * The till's calls of the server. None of them may wait for ever: a network that changes under a request leaves it
 * without an answer and without an error.
 */
import * as compat from "@paypercloud_servipay_pos/compat/compat";

const PATIENCE = 20000; // ms
const ROUTE = "/websocket/servipay/pos/";

/** Give up a request that is not answered in time; whether it arrived is not known then. */
export function within(request, patience = PATIENCE) {
    let timer = 0;
    const silence = new Promise((resolve, reject) => {
        timer = setTimeout(() => {
            request.abort?.(false); // or it would hold one of the browser's few connections
            reject(new Error("no answer in time"));
        }, patience);
    });
    return Promise.race([request, silence]).finally(() => clearTimeout(timer));
}

/** Whether the server has read a request and refused it: then nothing was sent. */
export const isRefusal = (error) =>
    /^odoo\.exceptions\.(User|Access|Validation|Missing)Error$/.test(error?.data?.name);

/** Whether somebody else might make the call. */
export const isDenied = (error) => error?.data?.name === "odoo.exceptions.AccessError";

export class Server {
    constructor(pos) {
        this.pos = pos;
    }
    /** Call one of the till's routes; cashier: {employee_id, pin} of the manager who decides, else who works here. */
    route(name, params, cashier) {
        const employee = compat.employeeOf(this.pos);
        const who = cashier || (employee && {employee_id: employee.id});
        const told = {session_id: compat.sessionOf(this.pos).id, ...params, ...(who && {cashier: who})};
        return within(compat.callRoute(ROUTE + name, told));
    }
    /** Call one of the methods that only read. */
    read(method, ...args) {
        const {silent} = this.pos.env.services.orm;
        const all = [compat.sessionOf(this.pos).id, ...args];
        return within(silent.call("pos.payment.method", method, all));
    }
}
