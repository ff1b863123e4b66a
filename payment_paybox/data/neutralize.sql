-- a copy for tests must neither ask for real payments nor refund them
UPDATE payment_provider
   SET paybox_key_test_sealed = NULL, paybox_key_sealed = NULL, paybox_password_sealed = NULL
 WHERE code = 'paybox';
