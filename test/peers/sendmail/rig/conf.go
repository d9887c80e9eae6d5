package rig

import (
	"fmt"
	"strings"
)

// hops are the domains that go to a sink, and the sink. Each sink has a mailer
// with its port.
var hops = []struct{ domain, sink string }{
	{"ok.test", "ok"}, {"src.test", "ok"}, {"acc.test", "ok"}, {"rej.test", "ok"}, {"stls.test", "tlssink"},
	{"soft.test", "soft"}, {"hard.test", "hard"}, {"grey.test", "grey"}, {"drop.test", "drop"}, {"maybe.test", "maybe"},
	{"lose.test", "lose"}, {"dead.test", "dead"},
}

func mailertable() string {
	var b strings.Builder
	for _, h := range hops {
		fmt.Fprintf(&b, "%s\tsink_%s:[127.0.0.1]\n", h.domain, h.sink)
	}
	b.WriteString("err.test\terror:5.1.2:550 no such domain\n")
	return b.String()
}

// access decides by sender, recipient and client. The words are the names of
// classes.
const access = `To:no1@rej.test	ERROR:5.1.1:"550 User unknown"
To:no2@rej.test	ERROR:5.1.1:"550 User unknown"
To:later1@rej.test	ERROR:4.7.1:"450 Greylisted, try later"
To:discard@acc.test	DISCARD
To:quarantine@acc.test	QUARANTINE:looks odd
From:spam.test	ERROR:5.7.1:"550 blocked sender"
From:discard@src.test	DISCARD
From:quarantine@src.test	QUARANTINE:odd sender
Connect:127.0.0.66	ERROR:5.7.1:"550 not from you"
Connect:127.0.0.67	REJECT
`

const aliases = `postmaster: root
MAILER-DAEMON: postmaster
root: postmaster@ok.test
fwd: away@ok.test
pair: away1@ok.test, away2@ok.test
list: m1@ok.test, m2@stls.test, m3@hard.test
team: t1@ok.test, t2@ok.test
owner-team: boss@src.test
file: /var/mail/filebox
prog: "|/usr/bin/cat >/dev/null"
badprog: "|/usr/bin/cat >/dev/null; exit 67"
laterprog: "|/usr/bin/cat >/dev/null; exit 75"
nowhere: nowhere@hard.test
nowhere2: nowhere2@hard.test, ann
gone: /dev/null
`

// sendmailMC is the server's configuration. Times are short, so that every
// message reaches its end within the run.
func (r *Rig) sendmailMC(level int) string {
	var mailers strings.Builder
	seen := map[string]bool{}
	for _, h := range hops {
		if seen[h.sink] {
			continue
		}
		seen[h.sink] = true
		fmt.Fprintf(&mailers, "Msink_%s,\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990,\n\t\tT=DNS/RFC822/SMTP,\n\t\tA=TCP $h %d\n", h.sink, r.Ports[h.sink])
	}
	return fmt.Sprintf(`OSTYPE(%[1]clinux')
define(%[1]cconfDOMAIN_NAME', %[1]cmx.example.test')
define(%[1]cconfLOG_LEVEL', %[1]c%[2]d')
define(%[1]cconfPID_FILE', %[1]c/var/run/sendmail.pid')
define(%[1]cALIAS_FILE', %[1]c/etc/mail/aliases')
define(%[1]cSTATUS_FILE', %[1]c/var/run/statistics')
define(%[1]cQUEUE_DIR', %[1]c/var/spool/mqueue')
define(%[1]cconfSERVICE_SWITCH_FILE', %[1]c/etc/mail/service.switch')
define(%[1]cconfCT_FILE', %[1]c/etc/mail/trusted-users')
define(%[1]cconfTO_QUEUERETURN', %[1]c40s')
define(%[1]cconfTO_QUEUEWARN', %[1]c8s')
define(%[1]cconfTO_IDENT', %[1]c0')
define(%[1]cconfTO_COMMAND', %[1]c20s')
define(%[1]cconfTO_DATABLOCK', %[1]c20s')
define(%[1]cconfTO_DATAFINAL', %[1]c5s')
define(%[1]cconfTO_HOSTSTATUS', %[1]c1s')
define(%[1]cconfTO_RESOLVER_RETRANS', %[1]c1s')
define(%[1]cconfTO_RESOLVER_RETRY', %[1]c1')
define(%[1]cconfMAX_MESSAGE_SIZE', %[1]c200000')
define(%[1]cconfDOUBLE_BOUNCE_ADDRESS', %[1]cpostmaster@ok.test')
define(%[1]cconfMAX_DAEMON_CHILDREN', %[1]c0')
define(%[1]cconfREFUSE_LA', %[1]c1000')
define(%[1]cconfQUEUE_LA', %[1]c1000')
define(%[1]cconfDELAY_LA', %[1]c1000')
define(%[1]cconfCACERT', %[1]c/etc/ssl/cert.pem')
define(%[1]cconfCACERT_PATH', %[1]c/etc/ssl')
define(%[1]cconfSERVER_CERT', %[1]c/etc/ssl/cert.pem')
define(%[1]cconfSERVER_KEY', %[1]c/etc/ssl/key.pem')
define(%[1]cconfAUTH_MECHANISMS', %[1]cPLAIN LOGIN')
TRUST_AUTH_MECH(%[1]cPLAIN LOGIN')
define(%[1]cLOCAL_MAILER_PATH', %[1]c/usr/libexec/sendmail/mail.local')
define(%[1]cLOCAL_SHELL_PATH', %[1]c/bin/sh')
define(%[1]cESMTP_MAILER_ARGS', %[1]cTCP $h %[3]d')
FEATURE(%[1]cno_default_msa')
FEATURE(%[1]cnocanonify')
FEATURE(%[1]caccept_unresolvable_domains')
FEATURE(%[1]cmailertable', %[1]chash /etc/mail/mailertable')
FEATURE(%[1]caccess_db', %[1]chash -T<TMPF> /etc/mail/access')
FEATURE(%[1]cblocklist_recipients')
LOCAL_DOMAIN(%[1]clocal.test')
MAIL_FILTER(%[1]crig', %[1]cS=inet:%[4]d@127.0.0.1, F=T, T=C:10s;S:10s;R:10s;E:20s')
DAEMON_OPTIONS(%[1]cName=edge, Family=inet, Addr=127.0.0.1, Port=%[5]d, InputMailFilters=')
DAEMON_OPTIONS(%[1]cName=milter, Family=inet, Addr=127.0.0.1, Port=%[6]d, InputMailFilters=rig')
DAEMON_OPTIONS(%[1]cName=queued, Family=inet, Addr=127.0.0.1, Port=%[7]d, InputMailFilters=, DeliveryMode=queueonly')
MAILER(%[1]clocal')
MAILER(%[1]csmtp')
MAILER_DEFINITIONS
%[8]s
LOCAL_RULESETS
HSubject: $>CheckSubject
SCheckSubject
R$* HREJECT $*	$#error $@ 5.7.1 $: "550 virus found"
R$* HDISCARD $*	$#discard $: discard
`, '`', level, r.Ports["ok"], r.Ports["miltersrv"], r.Ports["edge"], r.Ports["milter"], r.Ports["queued"], mailers.String())
}

// submitMC is the configuration of the submission program: it hands all to the
// server.
func (r *Rig) submitMC(level int) string {
	return fmt.Sprintf(`OSTYPE(%[1]clinux')
define(%[1]cconfDOMAIN_NAME', %[1]cmx.example.test')
define(%[1]cconfLOG_LEVEL', %[1]c%[2]d')
define(%[1]c_DIRECT_SUBMISSION_MODIFIERS', %[1]cC')
define(%[1]cMSP_QUEUE_DIR', %[1]c/var/spool/mqueue-client')
define(%[1]cconfPID_FILE', %[1]c/var/run/sm-client.pid')
define(%[1]cSTATUS_FILE', %[1]c/var/run/sm-statistics')
define(%[1]cconfSERVICE_SWITCH_FILE', %[1]c/etc/mail/service.switch')
define(%[1]cconfTO_IDENT', %[1]c0')
define(%[1]cconfTRUSTED_USERS', %[1]csmmsp')
define(%[1]cRELAY_MAILER_ARGS', %[1]cTCP $h %[3]d')
define(%[1]cESMTP_MAILER_ARGS', %[1]cTCP $h %[3]d')
FEATURE(%[1]cmsp', %[1]c[127.0.0.1]')
`, '`', level, r.Ports["edge"])
}
