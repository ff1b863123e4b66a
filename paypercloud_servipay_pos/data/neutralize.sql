-- a copy of a production database must not be able to move money
UPDATE pos_payment_method SET servipay_api_key_sealed = NULL, servipay_terminal_pid = NULL;
UPDATE pos_config SET servipay_api_key_sealed = NULL, servipay_terminal_pid = NULL;
