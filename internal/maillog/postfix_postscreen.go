package maillog

import (
	"strings"

	"waybill/internal/track"
)

// postscreen reads the daemon in front of smtpd. What it lets through is told
// again by smtpd; what it finds wrong is worth a note of its own.
func (c *cursor) postscreen(body, word string) outcome {
	if word != "" || isHousekeeping(body) {
		return ignored
	}
	if s, ok := strings.CutPrefix(body, "NOQUEUE: "); ok {
		return c.noqueue(s)
	}
	for _, quiet := range []string{"CONNECT from ", "DISCONNECT ", "PASS OLD ", "PASS NEW ", "ALLOWLISTED ", "WHITELISTED ",
		"cache ", "close database", "entering STRESS", "leaving STRESS", "reload "} {
		if strings.HasPrefix(body, quiet) {
			return ignored
		}
	}
	for _, fault := range []string{"PREGREET ", "DNSBL rank ", "HANGUP after ", "COMMAND TIME LIMIT ", "COMMAND COUNT LIMIT ",
		"COMMAND LENGTH LIMIT ", "COMMAND PIPELINING ", "NON-SMTP COMMAND ", "BARE NEWLINE ",
		"DENYLISTED ", "BLACKLISTED ", "ALLOWLIST VETO ", "WHITELIST VETO "} {
		if !strings.HasPrefix(body, fault) {
			continue
		}
		i := strings.IndexByte(body, '[')
		if i < 0 {
			return notKnown
		}
		p, rest, ok := parsePeer(body[i:])
		if !ok {
			return notKnown
		}
		c.begin(track.ConnNote)
		c.addPeer(p)
		if stage, ok := strings.CutPrefix(rest, " after "); ok {
			stage, _, _ = strings.Cut(stage, ":")
			c.addSome(track.Stage, stage)
		}
		fault = strings.TrimSuffix(strings.TrimSuffix(fault, " after "), " rank ")
		c.add(track.Reason, strings.TrimSuffix(fault, " "))
		return c.emit()
	}
	return notKnown
}
