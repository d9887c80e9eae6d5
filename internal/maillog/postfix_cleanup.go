package maillog

import (
	"strings"

	"waybill/internal/track"
)

// maxContent is how much of a header or body line cleanup tells.
const maxContent = 200

// cleanup reads a line of cleanup behind its queue id.
func (c *cursor) cleanup(id, s string) outcome {
	if v, ok := strings.CutPrefix(s, "message-id="); ok {
		l := c.lives.identify(c.o.host, id, c.o.instance, c.h.Time)
		c.message(track.MessageID, id, l)
		if v = strings.TrimSpace(v); v != "" && v != "<>" {
			c.add(track.MessageIDHdr, v)
		}
		c.add(track.Instance, c.o.instance)
		return c.emit()
	}
	if isDelivery(s) {
		return c.delivery(id, s)
	}
	action, rest, ok := strings.Cut(s, ": ")
	if !ok || strings.ContainsAny(action, " =") {
		return c.note(id, c.o.instance)
	}
	if class, _, _ := strings.Cut(rest, " "); class == "header" || class == "body" || class == "mime-header" || class == "nested-header" || class == "content" {
		return c.check(id, action, class, rest)
	}
	if strings.HasPrefix(action, "milter-") {
		return c.milter(id, action, rest)
	}
	return c.note(id, c.o.instance)
}

// queued is life for the daemons of the queue itself.
func (c *cursor) queued(id string) *life {
	return c.lives.find(c.o.host, id, c.o.instance, true, c.h.Time)
}

// check reads what a header or body check did:
// "header Subject: text from name[address]; from=<a> to=<b> ...[: own text]".
func (c *cursor) check(id, action, class, s string) outcome {
	head, t, text := cutTrailer(s, func(head string) bool {
		content, origin := cutOrigin(head)
		return origin != "" && len(content) <= len(class)+1+contentBound(content)
	})
	content, _ := cutOrigin(head)
	content = content[min(len(class)+1, len(content)):]
	subject, isSubject := subjectOf(class, content)
	kind := track.MessageHeader
	switch base(action) {
	case "reject":
		kind = track.MessageReject
	case "hold", "quarantine":
		kind = track.MessageHeld
	case "discard":
		kind = track.MessageDiscard
	case "redirect":
		kind = track.MessageRedirect
	case "filter":
		kind = track.MessageFilter
	case "info", "warning", "warn":
		if isSubject {
			kind = track.MessageSubject
		}
	}
	l := c.queued(id)
	c.message(kind, id, l)
	c.add(track.Action, action)
	if isSubject {
		c.add(track.Subject, subject)
	}
	c.addTrailer(&t)
	c.outcome(kind, text, content)
	c.add(track.Instance, c.o.instance)
	if kind.Ends() {
		c.finish(id, l)
	}
	return c.emit()
}

// outcome adds why a check or milter acted: the operator's own text, or what
// it found.
func (c *cursor) outcome(kind track.Kind, text, content string) {
	if kind == track.MessageReject {
		code, dsn, why := reply(text)
		c.addSome(track.StatusCode, code)
		c.addSome(track.DSN, dsn)
		c.addSome(track.Response, why)
		text = why
	}
	if text == "" && kind != track.MessageSubject {
		text = content
	}
	c.addSome(track.Reason, text)
}

// contentBound is how long content can be at most. Repaired bytes are longer
// than they were.
func contentBound(content string) int {
	if strings.Contains(content, "\uFFFD") {
		return 3 * maxContent
	}
	return maxContent
}

// cutOrigin splits "content from origin" at the last place where what follows
// looks like an origin: "name[address]", "name[address]:port", "local".
func cutOrigin(head string) (content, origin string) {
	i := strings.LastIndex(head, " from ")
	if i < 0 {
		return head, ""
	}
	origin = head[i+len(" from "):]
	switch origin {
	case "local", "unknown":
		return head[:i], origin
	}
	if _, rest, ok := parsePeer(origin); !ok || rest != "" {
		return head, ""
	}
	return head[:i], origin
}

// subjectOf returns the subject if content is the Subject header.
func subjectOf(class, content string) (string, bool) {
	const name = "Subject:"
	if class != "header" || len(content) < len(name) || !strings.EqualFold(content[:len(name)], name) {
		return "", false
	}
	return strings.TrimPrefix(content[len(name):], " "), true
}

// milter reads what a milter decided:
// "END-OF-MESSAGE from name[address]: 5.7.1 text; from=<a> ...".
func (c *cursor) milter(id, action, s string) outcome {
	r, ok := parseRefusal(s)
	if !ok {
		return c.note(id, c.o.instance)
	}
	kind := track.MessageNote
	switch base(action) {
	case "reject":
		kind = track.MessageReject
	case "hold", "quarantine":
		kind = track.MessageHeld
	case "discard":
		kind = track.MessageDiscard
	}
	l := c.queued(id)
	c.message(kind, id, l)
	if kind == track.MessageReject {
		c.addRefusal(action, &r, track.Reason, track.Response)
	} else {
		c.addRefusal(action, &r, track.Reason)
	}
	c.add(track.Instance, c.o.instance)
	if kind.Ends() {
		c.finish(id, l)
	}
	return c.emit()
}
