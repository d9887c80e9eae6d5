package rig

import (
	"fmt"
	"strings"
)

// hops are the domains that go to a sink, and the sink.
var hops = []struct{ domain, sink string }{
	{"ok.test", "ok"}, {"src.test", "ok"}, {"acc.test", "ok"}, {"rej.test", "ok"}, {"stls.test", "tlssink"}, {"lmtp.test", "lmtp"},
	{"soft.test", "soft"}, {"hard.test", "hard"}, {"grey.test", "grey"}, {"drop.test", "drop"}, {"maybe.test", "maybe"},
	{"lose.test", "lose"}, {"dead.test", "dead"}, {"hand.test", "idle"},
}

// config is Exim's configuration. Times are short, so that every message
// reaches its end within the run. The words in a Subject and the domains are
// the names of classes.
func (r *Rig) config() string {
	var routers, transports strings.Builder
	seen := map[string]bool{}
	for _, h := range hops {
		fmt.Fprintf(&routers, "to_%s:\n  driver = manualroute\n  domains = %s\n  transport = smtp_%s\n  route_list = * 127.0.0.1\n  self = send\n\n",
			strings.TrimSuffix(h.domain, ".test"), h.domain, h.sink)
		if seen[h.sink] {
			continue
		}
		seen[h.sink] = true
		fmt.Fprintf(&transports, "smtp_%s:\n  driver = smtp\n  port = %d\n  allow_localhost\n  connect_timeout = 5s\n  command_timeout = 5s\n  final_timeout = 5s\n", h.sink, r.Ports[h.sink])
		if h.sink == "lmtp" {
			transports.WriteString("  protocol = lmtp\n")
		}
		transports.WriteString("\n")
	}
	return fmt.Sprintf(`primary_hostname = mx.example.test
qualify_domain = src.test
%s
daemon_smtp_ports = %d : %d : %d
local_interfaces = 127.0.0.1
disable_ipv6
tls_advertise_hosts = *
tls_certificate = /etc/ssl/cert.pem
tls_privatekey = /etc/ssl/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
dsn_advertise_hosts = *
domainlist local_domains = local.test
hostlist trusted = !127.0.0.99 : 127.0.0.0/8
never_users =
keep_environment =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
smtp_receive_timeout = 20s
queue_run_max = 5
remote_max_parallel = 4
message_size_limit = 200K
ignore_bounce_errors_after = 15s
delay_warning = 8s
delay_warning_condition = true
acl_smtp_connect = on_connect
acl_smtp_helo = on_helo
acl_smtp_mail = on_mail
acl_smtp_rcpt = on_rcpt
acl_smtp_predata = on_predata
acl_smtp_data = on_data
acl_not_smtp = on_local

begin acl

on_connect:
  deny hosts = 127.0.0.66
       message = not from you
  accept

on_helo:
  deny condition = ${if eq{$sender_helo_name}{forbidden.example.test}}
       message = not with that name
  accept

on_mail:
  deny senders = *@spam.test
       message = blocked sender
  accept

on_rcpt:
  deny  domains = rej.test
        local_parts = ^no
        message = User unknown
  defer domains = rej.test
        local_parts = ^later
        message = Greylisted, try later
  drop  domains = rej.test
        local_parts = ^drop
        message = go away
  discard domains = acc.test
        local_parts = discard
        log_message = access says discard
  warn  domains = acc.test
        local_parts = warn
        log_message = access says warn
  accept domains = +local_domains
        endpass
        message = no such user
        verify = recipient
  accept authenticated = *
  deny  !hosts = +trusted
        message = relay not permitted
  deny  condition = ${if eq{$received_port}{%d}}
        message = callout says no
        !verify = recipient/callout=5s
  accept condition = ${if eq{$received_port}{%d}}
        control = cutthrough_delivery
  accept

on_predata:
  deny senders = datano@src.test
       message = not at this stage
  accept

on_data:
  deny    condition = ${if match{$h_subject:}{HREJECT}}
          message = virus found
  defer   condition = ${if match{$h_subject:}{HDEFER}}
          message = scanner is busy
  drop    condition = ${if match{$h_subject:}{HDROP}}
          message = enough
  discard condition = ${if match{$h_subject:}{HDISCARD}}
          log_message = not wanted
  warn    condition = ${if match{$h_subject:}{HWARN}}
          log_message = odd subject
  warn    condition = ${if match{$h_subject:}{HFREEZE}}
          control = freeze
  warn    condition = ${if match{$h_subject:}{HQUEUE}}
          control = queue_only
  warn    condition = ${if match{$h_subject:}{HFAKE}}
          control = fakereject
  accept

on_local:
  deny    condition = ${if match{$h_subject:}{HREJECT}}
          message = virus found
  accept

begin routers

blackhole:
  driver = redirect
  domains = disc.test
  data = :blackhole:

fail:
  driver = redirect
  domains = err.test
  data = :fail: no such domain
  allow_fail

defer:
  driver = redirect
  domains = retry.test
  data = :defer: maintenance
  allow_defer

list:
  driver = redirect
  domains = ok.test
  local_parts = list
  data = m1@ok.test, m2@stls.test, m3@hard.test

twice:
  driver = redirect
  domains = ok.test
  local_parts = dup1 : dup2
  data = twice@ok.test

copy:
  driver = redirect
  domains = ok.test
  local_parts = copy
  data = copied@ok.test
  unseen

once:
  driver = redirect
  domains = ok.test
  local_parts = onetime
  data = u9@grey.test
  one_time

aliases:
  driver = redirect
  domains = local.test
  data = ${lookup{$local_part}lsearch{/etc/aliases}}
  allow_fail
  user = mail
  pipe_transport = address_pipe
  file_transport = address_file

localuser:
  driver = accept
  domains = local.test
  check_local_user
  transport = local_delivery

%slookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp_ok
  self = send
  no_more

begin transports

%slocal_delivery:
  driver = appendfile
  file = /var/mail/$local_part_data

address_pipe:
  driver = pipe
  return_output

address_file:
  driver = appendfile

begin retry

* * F,45s,2s

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{ann@example.test}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
`, r.Variant.config, r.Ports["edge"], r.Ports["cutthrough"], r.Ports["callout"], r.Ports["callout"], r.Ports["cutthrough"], routers.String(), transports.String())
}

const aliases = `fwd: away@ok.test
pair: away1@ok.test, away2@ok.test
file: /var/mail/filebox
prog: "|/usr/bin/sh -c '/usr/bin/cat >/dev/null'"
badprog: "|/usr/bin/sh -c 'exit 67'"
nowhere: nowhere@hard.test
gone: :blackhole:
left: :fail: left the company
`
