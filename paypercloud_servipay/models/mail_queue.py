"""E-mails about payments go by Odoo's mail queue, never on the way of a payment.

Odoo sends what an activity or a message tells by e-mail right after the commit, in the thread that made it.
A mail server that does not answer holds that thread for a minute, with its turn: when the line to the
internet is down and some payments become unknown, no till of the process could pay, not even on a terminal of
the shop.
"""

LATER = {"mail_notify_force_send": False}


def plan_activity(record, kind, **values):
    """Plan an activity on a record and return it; who it is for gets the e-mail from the queue, soon."""
    activity = record.with_context(**LATER).activity_schedule(kind, **values)
    send_soon(record.env)
    return activity


def send_soon(env):
    """Have the queue's job run once this is committed, not in an hour."""
    job = env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
    if job:
        job.sudo()._trigger()
