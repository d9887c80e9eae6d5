package maillog

import "strings"

// postfix is the dialect of Postfix 2.x and 3.x.
type postfix struct{}

func (postfix) name() string { return "postfix" }

// daemon is the family of a Postfix program: those of one family write the
// same lines.
type daemon uint8

const (
	daemonOther  daemon = iota
	daemonServer        // takes mail in
	daemonPostscreen
	daemonPickup
	daemonCleanup
	daemonQmgr
	daemonBounce
	daemonClient // delivers over SMTP or LMTP
	daemonLocal
	daemonDiscard
	daemonDelivery // other ways of delivery
	daemonPostsuper
	daemonQuiet // says nothing about a message unless it names a queue id
)

var daemons = map[string]daemon{
	"smtpd": daemonServer, "qmqpd": daemonServer, "postscreen": daemonPostscreen,
	"pickup": daemonPickup, "cleanup": daemonCleanup,
	"qmgr": daemonQmgr, "nqmgr": daemonQmgr, "oqmgr": daemonQmgr,
	"bounce": daemonBounce, "defer": daemonBounce, "trace": daemonBounce,
	"smtp": daemonClient, "lmtp": daemonClient, "local": daemonLocal, "discard": daemonDiscard,
	"virtual": daemonDelivery, "pipe": daemonDelivery, "error": daemonDelivery, "retry": daemonDelivery,
	"postsuper": daemonPostsuper,
	"anvil":     daemonQuiet, "dnsblog": daemonQuiet, "flush": daemonQuiet, "master": daemonQuiet,
	"post-install": daemonQuiet, "postalias": daemonQuiet, "postcat": daemonQuiet, "postconf": daemonQuiet,
	"postdrop": daemonQuiet, "postfix": daemonQuiet, "postfix-script": daemonQuiet, "postfix-tls-script": daemonQuiet,
	"postfix-wrapper": daemonQuiet, "postkick": daemonQuiet, "postlock": daemonQuiet, "postlog": daemonQuiet,
	"postlogd": daemonQuiet, "postmap": daemonQuiet, "postmulti": daemonQuiet, "postmulti-script": daemonQuiet,
	"postqueue": daemonQuiet, "posttls-finger": daemonQuiet, "proxymap": daemonQuiet, "proxywrite": daemonQuiet,
	"scache": daemonQuiet, "sendmail": daemonQuiet, "showq": daemonQuiet, "spawn": daemonQuiet,
	"tlsmgr": daemonQuiet, "tlsproxy": daemonQuiet, "trivial-rewrite": daemonQuiet, "verify": daemonQuiet,
}

// recognise takes tags of the form "syslog_name/daemon". The syslog_name is
// free and may have several parts; it is the daemon that tells.
func (postfix) recognise(o *origin, forced bool) bool {
	i := strings.LastIndexByte(o.tag, '/')
	d, known := daemons[o.tag[i+1:]]
	if i < 0 && !forced {
		o.daemon = daemonQuiet
		return o.tag == "postfix" // the command
	}
	if !forced && !known && !strings.HasPrefix(o.tag, "postfix") {
		return false
	}
	o.daemon = d
	if i >= 0 {
		o.service = o.tag[:i]
		o.instance, _, _ = strings.Cut(o.service, "/")
	}
	return true
}

func (postfix) line(c *cursor) outcome {
	body := c.h.Body
	id, rest, ok := cutID(body)
	if !ok {
		return c.postfixBare(body)
	}
	switch c.o.daemon {
	case daemonClient, daemonLocal, daemonDiscard, daemonDelivery:
		return c.agent(id, rest)
	case daemonQmgr:
		return c.qmgr(id, rest)
	case daemonCleanup:
		return c.cleanup(id, rest)
	case daemonServer:
		return c.server(id, rest)
	case daemonBounce:
		return c.bounce(id, rest)
	case daemonPickup:
		return c.pickup(id, rest)
	case daemonPostsuper:
		return c.postsuper(id, rest)
	}
	if isDelivery(rest) {
		return c.delivery(id, rest)
	}
	return c.note(id, "")
}

// severities are what Postfix puts in front of a complaint.
var severities = []string{"warning: ", "fatal: ", "error: ", "panic: "}

// severity cuts the severity off a body; word is "" when there is none.
func severity(body string) (word, rest string) {
	if body == "" {
		return "", body
	}
	switch body[0] {
	case 'w', 'f', 'e', 'p':
		for _, s := range severities {
			if strings.HasPrefix(body, s) {
				return s[:len(s)-2], body[len(s):]
			}
		}
	}
	return "", body
}

// postfixBare reads a line that does not begin with a queue id.
func (c *cursor) postfixBare(body string) outcome {
	word, rest := severity(body)
	if word != "" {
		if id, why, ok := cutID(rest); ok {
			return c.complaint(id, why)
		}
	}
	switch c.o.daemon {
	case daemonServer:
		return c.serverBare(body, word, rest)
	case daemonPostscreen:
		return c.postscreen(body, word)
	case daemonClient:
		return c.clientBare(body, word)
	case daemonQuiet:
		return ignored
	case daemonPostsuper:
		if _, n, ok := strings.Cut(body, ": "); ok && strings.Contains(n, " message") {
			return ignored // "Deleted: 3 messages"
		}
	}
	if word != "" || isHousekeeping(body) {
		return ignored
	}
	return notKnown
}

// isHousekeeping recognises what any daemon says of itself.
func isHousekeeping(body string) bool {
	for _, s := range []string{"table ", "initializing the ", "using backwards-compatible", "dict_", "auto_clnt"} {
		if strings.HasPrefix(body, s) {
			return true
		}
	}
	return false
}
