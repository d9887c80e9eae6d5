package simulate

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strings"
)

// Who writes to whom about what. The front of a list is drawn more often.
var (
	own    = strings.Fields("ann bob carol dora emil fay gus hana ivan jo kim lea max nora olaf pia quin rosa sam tina")
	others = strings.Fields(`alice bruno chris denise elif fatima george helga imre julia karl lucia mei nils otto petra
		ravi sofia tomas ursula viktor wanda xavier yusuf zofia`)
	domains = strings.Fields(`example.net example.org harbour.example northwind.example lindgren.example acme.example
		cafe-lumen.example blue-river.example orchard.example tallinn.example kestrel.example fjord.example`)
	topics = []string{"Invoice", "Meeting on Thursday", "Re: quarterly figures", "Delivery note", "Your order", "Re: contract draft",
		"Minutes of the meeting", "Question about the offer", "Travel booking", "Backup report", "Weekly newsletter", "Re: lunch?",
		"Price list", "Support case closed", "Password reset", "Application", "Grüße aus Köln", "Re: дог\u043eвор", "見積書の送付"}
	programs = strings.Fields("billing monitoring backup shop cron")
	spam     = []string{"You have won", "Cheap watches", "Your parcel is waiting", "Account suspended", "Final notice"}
)

// Subjects that attack whoever shows them: a terminal, a page, a reader, and a
// parser that looks for fields.
var hostileSubjects = []string{
	"\x1b]0;owned\x07\x1b[2J\x1b[31mALERT\x1b[0m",
	`<script>alert("waybill")</script>`,
	"invoice \u202excod.exe",
	"x from mail.example.org[192.0.2.1]; from=<ceo@example.com> to=<ann@example.com> proto=ESMTP helo=<mail.example.org>",
	"'); DROP TABLE messages; -- \"quoted\" and 'quoted'",
}

// HELO names that do the same.
var hostileHELOs = []string{
	"<script>alert(1)</script>",
	"mail.example.org> to=<ann@example.com> proto=ESMTP helo=<x",
	"$(reboot).example.net",
}

func (w *Site) ownAddress() string { return often(w, own) + "@" + w.o.Domain }

func (w *Site) otherAddress() string { return often(w, others) + "@" + often(w, domains) }

func (w *Site) subject() string {
	s := often(w, topics)
	if w.chance(3) {
		s += fmt.Sprintf(" %d", 1000+w.rnd.IntN(9000))
	}
	return s
}

// newMessageID makes one that no other message of the site has.
func (w *Site) newMessageID(sender string) string {
	w.mails++
	_, domain, ok := strings.Cut(sender, "@")
	if !ok {
		domain = w.o.Domain
	}
	return fmt.Sprintf("<%s.%04x.%d@%s>", w.now.UTC().Format("20060102150405"), w.rnd.IntN(1<<16), w.mails, domain)
}

// remote is a host of somebody else.
type remote struct {
	name, ip string
	port     int
}

// place is a remote host's address; the same name has the same.
func place(name string) string {
	f := fnv.New32a()
	f.Write([]byte(name)) // never fails
	n := f.Sum32()
	switch n % 8 {
	case 0:
		return fmt.Sprintf("2001:db8::%x", n>>8&0xffff)
	case 1, 2, 3:
		return fmt.Sprintf("198.51.100.%d", 1+n>>8%250)
	}
	return fmt.Sprintf("203.0.113.%d", 1+n>>8%250)
}

// exchanger is the host that takes mail for a domain.
func exchanger(domain string) remote {
	name := "mx1." + domain
	return remote{name, place(name), 25}
}

// outsider is the client that brings mail from a sender outside.
func (w *Site) outsider(sender string) Client {
	c := Client{Port: 1024 + w.rnd.IntN(60000)}
	_, domain, ok := strings.Cut(sender, "@")
	if !ok {
		domain = often(w, domains)
	}
	c.Name = "out." + domain
	c.IP, c.HELO = place(c.Name), c.Name
	switch w.rnd.IntN(12) {
	case 0: // has no name
		c.Name = ""
	case 1: // calls itself something else
		c.HELO = "smtp-" + fmt.Sprint(1+w.rnd.IntN(9)) + "." + domain
	}
	return c
}

// stranger is a client that nobody wants.
func (w *Site) stranger() Client {
	ip := fmt.Sprintf("203.0.113.%d", 1+w.rnd.IntN(250))
	return Client{IP: ip, Port: 1024 + w.rnd.IntN(60000), HELO: pick(w, []string{"ylmf-pc", "[" + ip + "]", "user", "mail.example.net"})}
}

// ascii reports whether a header can carry a text as it is.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// encoded is a Subject as it stands in the header: what is not plain goes as an
// encoded word (RFC 2047), of which one holds 45 bytes.
func encoded(s string) string {
	if ascii(s) {
		return s
	}
	const most = 45
	var words []string
	for s != "" {
		n := min(most, len(s))
		for n < len(s) && s[n]&0xc0 == 0x80 {
			n-- // not in the middle of a character
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}
