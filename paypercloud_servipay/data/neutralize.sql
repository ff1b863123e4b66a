-- a copy of a production database must not be able to move money
UPDATE res_company
   SET servipay_api_key_sealed = NULL,
       servipay_base_url = NULL,
       servipay_environment = 'demo';
UPDATE servipay_operation SET next_inquiry_at = NULL;
UPDATE servipay_notification SET next_attempt_at = NULL;
