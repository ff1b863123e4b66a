-- a copy of a production database must not be able to move money
UPDATE pos_payment_method
   SET viva_wallet_test_mode = true,
       viva_wallet_api_key_sealed = NULL,
       viva_wallet_client_secret_sealed = NULL
 WHERE use_payment_terminal = 'viva_wallet';
