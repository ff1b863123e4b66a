-- a copy for tests must neither ask for real payments nor refund them, nor believe the original's messages
UPDATE payment_provider
   SET paybox_key_test_sealed = NULL,
       paybox_key_sealed = NULL,
       paybox_password_sealed = NULL,
       paybox_public_keys = NULL,
       paybox_host = NULL,
       paybox_backup_host = NULL,
       paybox_direct_host = NULL,
       servipay_allow_private = false;
