-- a terminal in the shop's network asks for no key: without an address a copy cannot reach it
UPDATE pos_payment_method SET caisse_ap_host = NULL, caisse_ap_allow_local = false;
