package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// instance is one Postfix with its own queue.
type instance struct {
	name string // directory and, but for C, name in the log
	log  string // log file
	main string // lines of main.cf beyond the common ones
	svc  string // lines of master.cf beyond the common ones
}

// mainCF are the settings that all instances share. Times are short, so that
// every message reaches its end within the run.
func (r *Rig) mainCF(i instance) string {
	host := i.name
	if host == "c" {
		host = "a" // C is a second queue on A's host
	}
	return fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/%[2]s/queue
data_directory = %[1]s/%[2]s/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = !127.0.0.99, 127.0.0.0/8
local_recipient_maps =
alias_database =
myhostname = mx-%[3]s.example.test
mydomain = example.test
myorigin = src.test
smtp_host_lookup = native
disable_dns_lookups = yes
maillog_file = %[4]s
maillog_file_prefixes = %[1]s
smtpd_relay_restrictions = permit_mynetworks, permit_auth_destination, defer_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_timeout = 20s
default_process_limit = 60
in_flow_delay = 0
queue_run_delay = 5s
minimal_backoff_time = 5s
maximal_backoff_time = 10s
maximal_queue_lifetime = 40s
bounce_queue_lifetime = 20s
smtp_destination_concurrency_limit = 20
transport_maps = regexp:%[1]s/transport_%[2]s
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtpd_tls_loglevel = 1
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
%[5]s`, r.Dir, i.name, host, i.log, i.main)
}

const commonServices = `pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 5 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
tlsproxy unix - - n - 0 tlsproxy
dnsblog unix - - n - 0 dnsblog
`

// instances lays out A, B and C, or those of them that run. The comments name the class of messages that
// a setting is there for.
func (r *Rig) instances() []instance {
	p := r.Ports
	at := func(name string) string { return fmt.Sprintf("127.0.0.1:%d", p[name]) }
	smtpd := func(name string, options ...string) string {
		return at(name) + " inet n - n - - smtpd " + strings.Join(options, " ") + "\n"
	}
	a := instance{name: "a", log: r.Dir + "/a/mail.log"}
	a.main = strings.ReplaceAll(`syslog_name = postfix
smtpd_helo_required = yes
smtpd_recipient_restrictions = check_recipient_access regexp:DIR/rcpt_access, warn_if_reject reject_non_fqdn_helo_hostname, permit_mynetworks, permit_auth_destination, reject
smtpd_data_restrictions = check_sender_access regexp:DIR/data_access
smtpd_sender_restrictions = check_sender_access regexp:DIR/sender_access
header_checks = regexp:DIR/header_checks
body_checks = regexp:DIR/body_checks
virtual_alias_maps = regexp:DIR/valias
virtual_mailbox_domains = vmail.test
virtual_mailbox_maps = regexp:DIR/vmailbox
virtual_mailbox_base = DIR/a/vmail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
mydestination = local.test
alias_maps = texthash:DIR/aliases
forward_path = DIR/a/forward/$user
mail_spool_directory = DIR/a/spool/
allow_mail_to_files = alias, forward
allow_mail_to_commands = alias, forward
relay_domains = ok.test, tls.test, rej.test, soft.test, grey.test, hard.test, drop.test, maybe.test, lose.test, dead.test, err.test, retry.test, disc.test, multi.test, lmtp.test, pipe.test, acc.test, src.test, stls.test, held.test
delay_warning_time = 8s
confirm_delay_cleared = yes
message_size_limit = 200000
smtp_tls_connection_reuse = yes
cyrus_sasl_config_path = DIR/a/etc/sasl
smtpd_sasl_local_domain = example.test
postscreen_access_list = cidr:DIR/postscreen_access
postscreen_blacklist_action = enforce
postscreen_greet_action = enforce
postscreen_greet_wait = 1s
postscreen_cache_map = btree:DIR/a/data/postscreen_cache
smtpd_authorized_xforward_hosts = 127.0.0.0/8
plain_destination_recipient_limit = 1
`, "DIR", r.Dir)
	a.svc = smtpd("edge") +
		smtpd("reinject", "-o syslog_name=postfix/reinject -o content_filter= -o receive_override_options=no_header_body_checks,no_address_mappings") +
		smtpd("filtered", "-o syslog_name=postfix/filtered -o content_filter=smtp:["+"127.0.0.1]:"+fmt.Sprint(p["reinject"])) +
		smtpd("scanned", "-o syslog_name=postfix/scanned -o content_filter=scan:[127.0.0.1]:"+fmt.Sprint(p["scanner"])) +
		smtpd("piped", "-o syslog_name=postfix/piped -o content_filter=pipefilter:dummy") +
		smtpd("submission", "-o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes -o smtpd_tls_security_level=encrypt",
			"-o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_recipient_restrictions=") +
		smtpd("milter", "-o smtpd_milters=inet:127.0.0.1:"+fmt.Sprint(p["miltersrv"])) +
		at("postscreen") + " inet n - n - 1 postscreen\n" +
		"smtpd pass - - n - - smtpd\n" +
		smtpd("proxied", "-o smtpd_proxy_filter=127.0.0.1:"+fmt.Sprint(p["proxysrv"])) +
		smtpd("afterproxy", "-o syslog_name=postfix/afterproxy") +
		smtpd("verify", "-o smtpd_recipient_restrictions=reject_unverified_recipient,permit_mynetworks,reject -o unverified_recipient_reject_code=550") +
		smtpd("noorig", "-o cleanup_service_name=noorig") +
		"noorig unix n - n - 0 cleanup -o enable_original_recipient=no\n" +
		"scan unix - - n - 10 smtp -o smtp_send_xforward_command=yes -o smtp_tls_security_level=none\n" +
		"plain unix - - n - - smtp -o smtp_tls_security_level=none\n" +
		"pipefilter unix - n n - 10 pipe flags=Rq user=nobody null_sender= argv=" + r.Dir + "/pipefilter ${sender} -- ${recipient}\n" +
		"pipe unix - n n - 10 pipe user=nobody argv=" + r.Dir + "/pipesink ${recipient}\n"
	b := instance{name: "b", log: r.Dir + "/b/mail.log"}
	b.main = `syslog_name = postfix-b
mydestination =
alias_maps =
enable_long_queue_ids = yes
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
`
	b.svc = smtpd("b")
	c := instance{name: "c", log: r.Dir + "/a/mail.log"}
	c.main = `syslog_name = postfix-c
mydestination =
alias_maps =
notify_classes = bounce, delay, 2bounce, resource, software
bounce_notice_recipient = postmaster@ok.test
delay_notice_recipient = postmaster@ok.test
2bounce_notice_recipient = postmaster@ok.test
delay_warning_time = 8s
`
	c.svc = smtpd("c")
	return slices.DeleteFunc([]instance{a, b, c}, func(i instance) bool { return len(r.only) > 0 && !slices.Contains(r.only, i.name) })
}

// maps are the lookup tables and scripts, by file name.
func (r *Rig) maps() map[string]string {
	hop := func(name string) string { return fmt.Sprintf("smtp:[127.0.0.1]:%d", r.Ports[name]) }
	back := fmt.Sprintf("/@soft\\.test$/ %s\n/@grey\\.test$/ %s\n/@hard\\.test$/ %s\n", hop("soft"), hop("grey"), hop("hard"))
	return map[string]string{
		"rcpt_access": `/^no.*@rej\.test$/ 550 5.1.1 User unknown
/^later.*@rej\.test$/ 450 4.7.1 Greylisted, try later
/^warn@acc\.test$/ WARN access says warn
/^info@acc\.test$/ INFO access says info
/^hold@acc\.test$/ HOLD access says hold
/^discard@acc\.test$/ DISCARD access says discard
/^redirect@acc\.test$/ REDIRECT redirected@ok.test
/^bcc@acc\.test$/ BCC copied@ok.test
/^filter@acc\.test$/ FILTER ` + hop("ok") + `
/^prepend@acc\.test$/ PREPEND X-Rig: seen
`,
		"data_access":   "/^datano@/ REJECT not at this stage\n",
		"sender_access": "/@spam\\.test$/ REJECT blocked sender\n",
		"header_checks": `/^Subject: .*HREJECT/ REJECT virus found
/^Subject: .*HHOLD/ HOLD suspicious
/^Subject: .*HWARN/ WARN odd subject
/^Subject: .*HDISCARD/ DISCARD not wanted
/^Subject: .*HREDIRECT/ REDIRECT redirected@ok.test
/^Subject: .*HBCC/ BCC copied@ok.test
/^Subject: .*HFILTER/ FILTER ` + hop("ok") + `
/^Subject: .*HPREPEND/ PREPEND X-Rig: seen
/^X-Replace: / REPLACE X-Replaced: yes
/^X-Strip: / STRIP not for others
/^Subject:/ INFO
`,
		"body_checks": "/BODYVIRUS/ REJECT body not wanted\n/BODYWARN/ WARN odd body\n",
		"valias": `/^list@ok\.test$/ m1@ok.test, m2@tls.test, m3@hard.test
/^dup[12]@ok\.test$/ twice@ok.test
/^both@ok\.test$/ dup1@ok.test, dup2@ok.test
/^toerr@ok\.test$/ u1@err.test
/^toretry@ok\.test$/ u1@retry.test
`,
		"vmailbox": "/^box@vmail\\.test$/ box/\n",
		"aliases": fmt.Sprintf(`fwd away@ok.test
pair away1@ok.test, away2@ok.test
owner-team boss@src.test
team t1@ok.test, t2@ok.test
file %[1]s/a/out/file
prog "|/bin/cat >/dev/null"
badprog "|/bin/sh -c 'exit 67'"
nowhere nowhere@hard.test
`, r.Dir),
		"postscreen_access": "127.0.0.66/32 reject\n",
		"transport_a": back + strings.Join([]string{
			`/@local\.test$/ local:`, `/@vmail\.test$/ virtual:`,
			`/@tls\.test$/ ` + hop("b"), `/@stls\.test$/ ` + hop("tlssink"), `/@multi\.test$/ ` + hop("c"),
			`/@drop\.test$/ ` + hop("drop"), `/@maybe\.test$/ ` + hop("maybe"), `/@lose\.test$/ ` + hop("lose"),
			`/@dead\.test$/ ` + hop("dead"), `/@err\.test$/ error:5.1.2 no such domain`,
			`/@retry\.test$/ retry:4.3.2 maintenance`, `/@disc\.test$/ discard:silently`,
			`/@lmtp\.test$/ lmtp:inet:127.0.0.1:` + fmt.Sprint(r.Ports["lmtp"]), `/@pipe\.test$/ pipe:`,
			`/.*/ ` + hop("ok"), ""}, "\n"),
		"transport_b": back + "/^hard.*@tls\\.test$/ " + hop("hard") + "\n/.*/ " + hop("ok") + "\n",
		"transport_c": back + "/^hard.*@multi\\.test$/ " + hop("hard") + "\n/^soft.*@multi\\.test$/ " + hop("soft") + "\n/.*/ " + hop("ok") + "\n",
		// A pipe filter that hands the message back by SMTP. It runs as nobody, who
		// may not use another configuration's sendmail.
		"pipefilter": fmt.Sprintf(`#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/%d || exit 75
say() { printf '%%s\r\n' "$1" >&3; answer; }
answer() { local l; while IFS= read -r l <&3; do [ "${l:3:1}" = "-" ] || break; done; case $l in [23]*) ;; *) exit 75;; esac; }
answer
say "EHLO filter.example.test"
say "MAIL FROM:<$1>"; shift 2
for to; do say "RCPT TO:<$to>"; done
say DATA
sed -e 's/^\./../' -e 's/$/\r/' >&3
say .
say QUIT
`, r.Ports["reinject"]),
		"pipesink": "#!/bin/sh\ncat >/dev/null\ncase $1 in bad*) echo 'no such user here'; exit 67;; later*) echo 'try again'; exit 75;; esac\n",
	}
}

// layOut writes every file that the instances need.
func (r *Rig) layOut() error {
	for name, text := range r.maps() {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), mode); err != nil {
			return err
		}
	}
	for _, i := range r.instances() {
		etc := filepath.Join(r.Dir, i.name, "etc")
		for _, d := range []string{"etc", "queue", "data"} {
			if err := os.MkdirAll(filepath.Join(r.Dir, i.name, d), 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(etc, "main.cf"), []byte(r.mainCF(i)), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(etc, "master.cf"), []byte(i.svc+commonServices), 0o644); err != nil {
			return err
		}
		if err := run("cp", "-r", "/etc/postfix/dynamicmaps.cf", "/etc/postfix/dynamicmaps.cf.d",
			"/etc/postfix/postfix-files", "/etc/postfix/postfix-files.d", etc); err != nil {
			return err
		}
		if err := run("chown", "postfix", filepath.Join(r.Dir, i.name, "data")); err != nil {
			return err
		}
	}
	return r.layOutUsers()
}

// layOutUsers makes what local and virtual delivery and SASL need.
func (r *Rig) layOutUsers() error {
	for _, d := range []string{"a/forward", "a/spool", "a/out", "a/vmail", "a/etc/sasl"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{"a/spool", "a/out", "a/vmail"} {
		if err := os.Chmod(filepath.Join(r.Dir, d), 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	// A .forward must belong to its user; games is one of every Debian system.
	if err := os.WriteFile(filepath.Join(r.Dir, "a/forward/games"), []byte("played@ok.test\n"), 0o644); err != nil {
		return err
	}
	sasl := filepath.Join(r.Dir, "a/etc/sasl")
	conf := "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: " + sasl + "/sasldb2\n"
	if err := os.WriteFile(filepath.Join(sasl, "smtpd.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	return errors.Join(
		run("chown", "games", filepath.Join(r.Dir, "a/forward/games")),
		runIn("secret\n", "saslpasswd2", "-c", "-p", "-f", sasl+"/sasldb2", "-u", "example.test", "ann"),
		run("chown", "postfix", sasl+"/sasldb2"),
		run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mx.example.test",
			"-keyout", filepath.Join(r.Dir, "key.pem"), "-out", filepath.Join(r.Dir, "cert.pem")),
	)
}
