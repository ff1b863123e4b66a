-- a copy for tests must neither ask for real payments nor refund them
UPDATE payment_provider
   SET ogone_password_sealed = NULL,
       ogone_shakey_in_sealed = NULL,
       ogone_shakey_in_directlink_sealed = NULL,
       ogone_shakey_out_sealed = NULL,
       ogone_base_url = NULL,
       servipay_allow_private = false;
