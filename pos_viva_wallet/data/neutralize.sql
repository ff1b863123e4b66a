-- a copy of a production database must not be able to move money, nor be told about the original's;
-- a method that drives another terminal today may still hold the keys of yesterday
UPDATE pos_payment_method
   SET viva_wallet_test_mode = true,
       viva_wallet_base_url = NULL,
       viva_wallet_terminal_id = NULL,
       viva_wallet_api_key_sealed = NULL,
       viva_wallet_client_secret_sealed = NULL,
       viva_wallet_webhook_token = NULL,
       viva_wallet_webhook_legacy_token = NULL,
       viva_wallet_webhook_verification_key = NULL;
