package track

import (
	"strconv"
	"strings"
)

// recipient returns the entry of a delivery path, made if need be. A path
// whose route is not known yet (no attempt succeeded) takes the route of the
// first attempt that tells one.
func (f *folder) recipient(address, original, route string) *Rcpt {
	rs := f.m.Recipients
	for i := range rs {
		if rs[i].Address == address && rs[i].Original == original && rs[i].Route == route {
			return &rs[i]
		}
	}
	for i := range rs {
		if rs[i].Address == address && rs[i].Original == original && !rs[i].Status.Final() {
			if route != "" {
				rs[i].Route = route
			}
			return &rs[i]
		}
	}
	f.m.Recipients = append(rs, Rcpt{Address: address, Original: original, Route: route})
	return &f.m.Recipients[len(f.m.Recipients)-1]
}

// delivery takes one attempt. A final result is not undone by a later attempt
// that failed for now: the same address can stand twice in an envelope.
func (f *folder) delivery(e *Event) {
	status, ok := ParseStatus(e.Value(StatusWord))
	if !ok {
		status = StatusUnknown
	}
	if f.m.Sender == nil {
		f.sender(e)
	}
	address, original, route := f.path(e)
	if e.Value(UID) != "" && f.m.Sender != nil && original == *f.m.Sender {
		original = "" // Sendmail names the local user on whose behalf it delivers, here the sender
	}
	r := f.recipient(address, original, route)
	action, ended := e.Get(Action)
	if !ended { // what was expanded or given up was not tried once more
		r.Attempts++
	}
	if r.Status.Final() && !status.Final() {
		return
	}
	if action == Waits && r.Attempts > 0 {
		if r.Status != status {
			r.Status, r.Time = status, e.Time
		}
		return
	}
	response := e.Value(Response)
	if status == StatusDelivered && amavisDiscarded(response) {
		status = StatusDropped
	}
	r.Status, r.Time = status, e.Time
	r.Relay, r.RelayIP, r.DSN, r.Response = e.Value(Relay), e.Value(RelayIP), e.Value(DSN), response
	r.RelayPort, _ = strconv.Atoi(e.Value(RelayPort)) // absent or not a port: 0, unknown
	r.DCID, _ = strconv.ParseUint(e.Value(DCID), 10, 64)
	r.TLS = nil
	if p, ok := e.Get(TLSProtocol); ok {
		r.TLS = &TLS{Protocol: p, Cipher: e.Value(TLSCipher), Trust: e.Value(TLSTrust)}
	}
	switch {
	case status == StatusDelivered:
		r.Uncertain = false
	case e.Value(MaybeSent) != "":
		r.Uncertain = true
	}
	r.NextID = ""
	if status == StatusDelivered {
		r.NextID = NextQueueID(response)
	}
	if _, ok := e.Get(LinkID); ok {
		at := 0
		for i := range f.m.Recipients {
			if &f.m.Recipients[i] == r {
				at = i
			}
		}
		f.link(e, at)
	}
}

// accepted is a recipient of the envelope.
type accepted struct{ rid, address string }

// accept takes a recipient of the envelope. It gets an entry of its own only
// where no delivery path shows it, see settleAccepted.
func (f *folder) accept(e *Event) {
	a := accepted{e.Value(RID), e.Value(Recipient)}
	for i, old := range f.accepted {
		if old == a {
			return
		}
		if a.rid != "" && old.rid == a.rid {
			f.accepted[i] = a // numbers are unique: the later line knows better
			return
		}
	}
	f.accepted = append(f.accepted, a)
}

// path is the delivery path that an event speaks of. A recipient that is known
// by its number alone, because the line that told its address is in a part of
// the log that was not read, is told apart by that number.
func (f *folder) path(e *Event) (address, original, route string) {
	address, original, route = e.Value(Recipient), e.Value(Original), e.Value(Route)
	if rid := e.Value(RID); rid != "" {
		known := false
		for _, a := range f.accepted {
			if a.rid == rid && (address == "" || foldEqual(a.address, address)) {
				address, known = a.address, true
			}
		}
		if !known && address == "" {
			route = "rid " + rid
		}
	}
	if original == address {
		original = ""
	}
	return address, original, route
}

// reply takes what the next hop said to a delivery.
func (f *folder) reply(e *Event) {
	address, original, route := f.path(e)
	for i := range f.m.Recipients {
		r := &f.m.Recipients[i]
		if r.Address != address || r.Original != original || route != "" && r.Route != route {
			continue
		}
		r.Response = e.Value(Response)
		if v := e.Value(DSN); v != "" {
			r.DSN = v
		}
		if r.Status == StatusDelivered {
			r.NextID = NextQueueID(r.Response)
		}
		return
	}
	r := f.recipient(address, original, route) // its delivery was not read
	r.Response, r.DSN = e.Value(Response), e.Value(DSN)
}

// settleAccepted gives the recipients of the envelope that no delivery path
// shows an entry, with what is known of the message as a whole.
func (f *folder) settleAccepted() {
	s := f.statusAlone()
	if f.end != StatusNone {
		s = f.end
	}
	for i := range f.m.Recipients {
		if r := &f.m.Recipients[i]; r.Status == StatusNone {
			r.Status = s
		}
	}
	if len(f.m.Recipients)+len(f.accepted)+f.m.RecipientCount == 0 && f.replaced {
		// Nobody is named, but they went on as another message: one entry stands for
		// them, so that what became of that one is known of this.
		f.m.Recipients = append(f.m.Recipients, Rcpt{Status: s, Time: f.m.Time})
	}
next:
	for _, a := range f.accepted {
		for i := range f.m.Recipients {
			r := &f.m.Recipients[i]
			if foldEqual(r.Address, a.address) || foldEqual(r.Original, a.address) {
				continue next
			}
		}
		f.m.Recipients = append(f.m.Recipients, Rcpt{Address: a.address, Status: s, Time: f.m.Time})
	}
}

// settleOpen gives every recipient that waits the status s.
func (f *folder) settleOpen(s Status) {
	for i := range f.m.Recipients {
		if r := &f.m.Recipients[i]; !r.Status.Final() {
			r.Status = s
		}
	}
}

// amavisDiscarded reports whether a content filter said that it took the
// message only to throw it away (amavisd: "250 2.7.0 Ok, discarded, id=...").
func amavisDiscarded(response string) bool {
	return strings.HasPrefix(response, "250 2.7.") && strings.Contains(response, "discarded")
}

// NextQueueID returns the queue id that the next hop named when it accepted a
// message, "" if it named none. It knows the replies of Postfix ("queued as
// X", also behind a content filter's own words), Exim ("OK id=X"), Sendmail
// and OpenSMTPD ("X Message accepted for delivery") and AsyncOS ("Message X
// accepted").
func NextQueueID(response string) string {
	if i := strings.LastIndex(response, "queued as "); i >= 0 {
		return idToken(response[i+len("queued as "):])
	}
	if i := strings.Index(response, " Message accepted for delivery"); i > 0 {
		head := response[:i]
		return idToken(head[strings.LastIndexByte(head, ' ')+1:])
	}
	if i := strings.LastIndex(response, " id="); i >= 0 {
		if id := idToken(response[i+len(" id="):]); eximID(id) {
			return id
		}
	}
	if _, rest, ok := strings.Cut(response, "Message "); ok {
		if id, tail, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(tail, "accepted") && id == idToken(id) {
			return id
		}
	}
	return ""
}

// idToken is the longest prefix of s that can be a queue id.
func idToken(s string) string {
	n := 0
	for n < len(s) && n < 64 && (s[n] == '-' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'A' && s[n] <= 'Z' || s[n] >= 'a' && s[n] <= 'z') {
		n++
	}
	return strings.Trim(s[:n], "-")
}

// eximID reports whether s has the form of an Exim message id: 6-6-2 or, from
// release 4.97 on, 6-11-4 characters.
func eximID(s string) bool {
	return len(s) == 16 && s[6] == '-' && s[13] == '-' || len(s) == 23 && s[6] == '-' && s[18] == '-'
}
