package maillog

import (
	"hash/maphash"
	"strings"

	"waybill/internal/track"
)

// esa is the dialect of the text mail logs of Cisco's Email Security Appliance
// (AsyncOS 4 and later; the forms of old releases that its guides show are read
// as well). The appliance numbers everything itself: ICID an incoming
// connection, MID a message, RID a recipient of it, DCID a delivery connection,
// RCID a connection to its spam quarantine. No number is given again until the
// appliance is installed anew, so that a message's queue id is its MID.
//
// Most lines tell a number and one fact of it. What a line does not repeat comes
// from three bounded tables: who the client of an ICID is, where a DCID goes,
// and the envelope of a MID, for the message that it is rewritten to has no
// lines of its own for that.
type esa struct {
	ins   *table[esaKey, esaIn]
	outs  *table[esaKey, esaOut]
	mails *table[esaKey, esaMail]
	spare [][]byte // facts of mails that have gone, to be used again
}

// esaKey is a number of an appliance.
type esaKey struct {
	host uint32
	id   uint64
}

func (k esaKey) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }

func newESA() *esa {
	return &esa{
		ins:   newTable[esaKey, esaIn](maxESAConns),
		outs:  newTable[esaKey, esaOut](maxESAConns),
		mails: newTable[esaKey, esaMail](maxESAMails),
	}
}

func (*esa) name() string { return "esa" }

// recognise leaves it to sniff: a subscription's name, which stands where
// syslog has the program's, is the operator's to choose.
func (*esa) recognise(_ *origin, forced bool) bool { return forced }

// sniff knows the appliance by the level in front of its words and by how they
// begin. The head of a file is that of all its logs; only those are taken that
// have no name or that of a mail log.
func (*esa) sniff(h *Header) bool {
	if h.Level == "" || h.Body == "" {
		return false
	}
	s := h.Body
	switch s[0] {
	case 'M':
		return numbered(s, "MID ") || numbered(s, "Message done DCID ") || numbered(s, "Message finished MID ") || numbered(s, "Message aborted MID ")
	case 'I':
		return numbered(s, "ICID ") || strings.HasPrefix(s, "ISQ: ")
	case 'N':
		return numbered(s, "New SMTP ICID ") || numbered(s, "New SMTP DCID ")
	case 'S':
		return numbered(s, "Start MID ") || strings.HasPrefix(s, "SMTP Auth: (ICID ") || strings.HasPrefix(s, "Status: CPULd ")
	case 'D':
		return numbered(s, "DCID ") || numbered(s, "Delivery start DCID ") || strings.HasPrefix(s, "Delayed: DCID") || strings.HasPrefix(s, "Double bounce: ")
	case 'P':
		return strings.HasPrefix(s, "Possible Delivery: DCID")
	case 'B':
		return strings.HasPrefix(s, "Bounced: DCID") || s == "Begin Logfile" && mailLog(h)
	case 'E':
		return strings.HasPrefix(s, "EUQ: ")
	case 'R':
		return numbered(s, "RPC Delivery start RCID ") || numbered(s, "RPC Message done RCID ")
	case 'C':
		return strings.HasPrefix(s, "Connection Error: ") && strings.Contains(s, "DCID")
	case 'T':
		return strings.HasPrefix(s, statedOffset) && mailLog(h)
	case 'V':
		return strings.HasPrefix(s, "Version: ") && strings.Contains(s, " SN: ") && mailLog(h)
	}
	return false
}

func mailLog(h *Header) bool { return h.Tag == "" || strings.Contains(h.Tag, "mail") }

// numbered reports whether s is prefix and a number behind it.
func numbered(s, prefix string) bool {
	return len(s) > len(prefix) && s[:len(prefix)] == prefix && isDigit(s[len(prefix)])
}

// line dispatches by the first words.
func (d *esa) line(c *cursor) outcome {
	s := c.h.Body
	if s == "" {
		return ignored
	}
	became := notKnown
	switch s[0] {
	case 'M':
		if rest, ok := strings.CutPrefix(s, "MID "); ok {
			became = d.mid(c, rest)
		} else if rest, ok := strings.CutPrefix(s, "Message "); ok {
			became = d.message(c, rest)
		}
	case 'I':
		if rest, ok := strings.CutPrefix(s, "ICID "); ok {
			became = d.icid(c, rest)
		} else if rest, ok := strings.CutPrefix(s, "ISQ: "); ok {
			became = d.spamQuarantine(c, rest)
		}
	case 'E':
		if rest, ok := strings.CutPrefix(s, "EUQ: "); ok {
			became = d.spamQuarantine(c, rest)
		}
	case 'N':
		if rest, ok := strings.CutPrefix(s, "New SMTP ICID "); ok {
			became = d.connected(c, rest)
		} else if rest, ok := strings.CutPrefix(s, "New SMTP DCID "); ok {
			became = d.connecting(c, rest)
		}
	case 'S':
		if rest, ok := strings.CutPrefix(s, "Start MID "); ok {
			became = d.start(c, rest)
		} else if rest, ok := strings.CutPrefix(s, "SMTP Auth"); ok {
			became = d.auth(c, rest)
		}
	case 'D':
		became = d.delivering(c, s)
	case 'B':
		if rest, ok := strings.CutPrefix(s, "Bounced: "); ok {
			became = d.failed(c, rest, track.StatusBounced)
		}
	case 'C':
		if rest, ok := strings.CutPrefix(s, "Connection Error: "); ok {
			became = d.unreachable(c, rest)
		}
	case 'R':
		if rest, ok := strings.CutPrefix(s, "RPC "); ok {
			became = d.rpc(c, rest)
		}
	case 'L':
		if rest, ok := strings.CutPrefix(s, "LDAP: "); ok {
			became = d.ldap(c, rest)
		}
	case 'A', 'P', 'G':
		became = d.oddities(c, s)
	}
	if became == notKnown && (c.h.Level != "Info" && c.h.Level != "" || esaNoise(s)) {
		return ignored // what concerns one message begins with its number, at any level
	}
	return became
}

// delivering reads the lines whose first letter is D.
func (d *esa) delivering(c *cursor, s string) outcome {
	if rest, ok := strings.CutPrefix(s, "Delivery start DCID "); ok {
		return d.attempt(c, rest)
	}
	if rest, ok := strings.CutPrefix(s, "DCID "); ok {
		return d.dcid(c, rest)
	}
	if rest, ok := strings.CutPrefix(s, "Delayed: "); ok {
		return d.failed(c, rest, track.StatusDeferred)
	}
	if rest, ok := strings.CutPrefix(s, "Double bounce: "); ok {
		return d.failed(c, rest, track.StatusBounced)
	}
	if rest, ok := strings.CutPrefix(s, "Deleted: MID "); ok {
		return d.deleted(c, rest)
	}
	return notKnown
}

// esaNoise recognises what the appliance says of itself.
func esaNoise(s string) bool {
	for _, p := range [...]string{
		"Begin Logfile", "End Logfile", "Version: ", statedOffset, "Status: ", "CASE cache status: ",
		"SenderBase ", "Senderbase ", "SDR upload", "SDR: ", "DNS Temporary Failure ", "DNS Error ", "lame DNS ", "LDAP", "Connection from ",
		"SMTP listener ", "SMTP server ", "SMTP client ", "SMTP Auth", "QMQP ", "QMTP ", "Incoming ", "RPC ", "ISQ: ", "EUQ: ",
		"Scanning ", "Done scanning ", "Checkpoint ", "Deliveries are currently suspended", "Mail delivery client with DCID ",
		"Start delivery of MID ", "Delivery of MID ", "File reputation query ", "Response received for file reputation query ",
		"File not uploaded", "File uploaded", "File analysis complete", "File Analysis ", "Retrospective verdict received",
		"Internal SMTP ", "System is coming up", "Work queue ", "Mail flow ", "Log Error: ", "logfile rolled over",
	} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.Contains(s, " alert was sent to ") || strings.HasPrefix(s, "Bounced: ") || strings.HasPrefix(s, "Delayed: ")
}

// cutNumber reads a number at the start of s, and what stands behind the blank
// behind it.
func cutNumber(s string) (digits, rest string, ok bool) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	switch {
	case n == 0 || n > 19 || n > 1 && s[0] == '0':
		return "", "", false
	case n == len(s):
		return s, "", true
	case s[n] != ' ':
		return "", "", false
	}
	return s[:n], s[n+1:], true
}

// value is the number that cutNumber read.
func value(digits string) uint64 {
	n := uint64(0)
	for i := range len(digits) {
		n = n*10 + uint64(digits[i]-'0')
	}
	return n
}

func (c *cursor) esaKey(digits string) esaKey { return esaKey{c.o.host, value(digits)} }

// cutAfter returns what stands behind a number of the given name: "DCID 7 ...".
// Releases before 4 wrote a colon behind the name.
func cutNamed(s, name string) (digits, rest string, ok bool) {
	if s, ok = strings.CutPrefix(s, name); !ok {
		return "", "", false
	}
	s = strings.TrimPrefix(s, ":")
	if s, ok = strings.CutPrefix(s, " "); !ok {
		return "", "", false
	}
	return cutNumber(s)
}
