package timeline

// dictID names the dictionary in the compressed frames. A change of the
// dictionary needs a new number, and the old one kept for reading.
const dictID = 0x5742_0001

// typical is what log patterns look like: small blocks find their sentences
// here. It is written in the form of a pattern table.
var typical = []byte("connect from \x00v\x09[\x00v\x08] disconnect from smtpd \x00q: client=\x00v\x09[\x00v\x08]" +
	" postfix/smtpd\x01postfix/smtpd[\x00p]: \x00q: client=\x00v\x09[\x00v\x08], sasl_method=\x00v\x0d, sasl_username=\x00v\x0c" +
	" postfix/cleanup\x01postfix/cleanup[\x00p]: \x00q: message-id=\x00v\x06" +
	" postfix/cleanup[\x00p]: \x00q: info: header Subject: \x00v\x07 from \x00e\x09[\x00e\x08]; from=<\x00v\x01> to=<\x00v\x02> proto=\x00v\x20 helo=<\x00v\x0b>" +
	" postfix/qmgr\x01postfix/qmgr[\x00p]: \x00q: from=<\x00v\x01>, size=\x00v\x04, nrcpt=\x00v\x05 (queue active)" +
	" postfix/qmgr[\x00p]: \x00q: removed" +
	" postfix/local[\x00p]: \x00q: to=<\x00v\x02>, orig_to=<\x00v\x03>, relay=\x00v\x11, delay=\x00v\x18, delays=\x00v\x19, dsn=\x00v\x15, status=sent (\x00v\x17)" +
	" postfix/bounce[\x00p]: \x00q: sender non-delivery notification: \x00v\x1d" +
	" postfix/smtp\x01postfix/smtp[\x00p]: \x00q: to=<\x00v\x02>, relay=\x00v\x11, conn_use=\x00v\x1a, delay=\x00v\x18, delays=\x00v\x19, dsn=\x00v\x15, status=deferred (\x00v\x17)" +
	" postfix/smtp\x01postfix/smtp[\x00p]: \x00q: to=<\x00v\x02>, relay=\x00v\x11, delay=\x00v\x18, delays=\x00v\x19, dsn=\x00v\x15\x00h\x16, status=sent (\x00v\x17)" +
	" 250 2.0.0 Ok: queued as 127.0.0.1[127.0.0.1]:10025 delivered 250 2.1.5 Ok gmail-smtp-in.l.google.com mail.protection.outlook.com:25 TLSv1.3 TLS_AES_256_GCM_SHA384")
