-- a copy of a production database must not be able to move money: no key, no address, nothing that is asked
UPDATE res_company
   SET servipay_api_key_sealed = NULL,
       servipay_base_url = NULL,
       servipay_terminal_pid = NULL,
       servipay_allow_private = false,
       servipay_environment = 'demo';
UPDATE servipay_terminal SET pid = 'neutralized-' || id;
UPDATE servipay_operation SET next_inquiry_at = NULL, cancel_wished = false;
UPDATE servipay_notification SET next_attempt_at = NULL;
