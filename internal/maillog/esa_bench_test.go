package maillog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/internal/track"
)

// esaTraffic writes a log of n messages as an appliance would, with what most
// of its lines say; several are under way at once.
func esaTraffic(n int, front, head string) []string {
	var lines []string
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	say := func(format string, args ...any) {
		lines = append(lines, front+at.Format(head)+fmt.Sprintf(format, args...))
	}
	var waiting []func()
	for i := range n {
		at = at.Add(700 * time.Millisecond)
		mid, icid, dcid := 24611490+i, 60140120+i, 6565555+i/5
		say("New SMTP ICID %d interface Data 1 (192.0.2.10) address 198.51.100.%d reverse dns host mail%d.example.net verified yes", icid, i%250, i%97)
		if i%5 == 4 {
			say("ICID %d REJECT SG BLACKLIST match sbrs[-10.0:-2.5] SBRS -9.5", icid)
			say("ICID %d close", icid)
			continue
		}
		say("ICID %d ACCEPT SG UNKNOWNLIST match sbrs[-0.5:10.0] SBRS 5.6", icid)
		say("ICID %d TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384", icid)
		say("Start MID %d ICID %d", mid, icid)
		say("MID %d ICID %d From: <sender%d@example.net>", mid, icid, i%331)
		for r := range 1 + i%3 {
			say("MID %d ICID %d RID %d To: <user%d@example.com>", mid, icid, r, i%77+r)
		}
		say("MID %d Message-ID '<%d.%d@example.net>'", mid, i, at.Unix())
		say("MID %d Subject 'Report number %d of this day'", mid, i)
		say("MID %d SPF: mailfrom identity sender%d@example.net Pass (v=spf1)", mid, i%331)
		say("MID %d DKIM: pass signature verified (d=example.net s=s1 i=@example.net)", mid)
		say("MID %d DMARC: Message from domain example.net, DMARC pass (SPF aligned True, DKIM aligned True)", mid)
		say("MID %d ready %d bytes from <sender%d@example.net>", mid, 2000+i%9999, i%331)
		say("MID %d matched all recipients for per-recipient policy DEFAULT in the inbound table", mid)
		say("ICID %d close", icid)
		say("MID %d interim verdict using engine: CASE spam negative", mid)
		say("MID %d using engine: CASE spam negative", mid)
		say("MID %d interim AV verdict using Sophos CLEAN", mid)
		say("MID %d antivirus negative", mid)
		say("MID %d AMP file reputation verdict : SKIPPED (no attachment in message)", mid)
		say("MID %d Outbreak Filters: verdict negative", mid)
		say("MID %d queued for delivery", mid)
		waiting = append(waiting, func() {
			if i%5 == 0 {
				say("New SMTP DCID %d interface 192.0.2.10 address 203.0.113.25 port 25", dcid)
			}
			rids := "[" + strings.Join([]string{"0", "1", "2"}[:1+i%3], ", ") + "]"
			say("Delivery start DCID %d MID %d to RID %s", dcid, mid, rids)
			say("Message done DCID %d MID %d to RID %s [('from', 'Somebody <sender@example.net>')]", dcid, mid, rids)
			say("MID %d RID %s Response '2.0.0 Ok: queued as 4BZk%06dqz'", mid, rids, i)
			say("Message finished MID %d done", mid)
		})
		if len(waiting) > 4 {
			waiting[0]()
			waiting = waiting[1:]
		}
	}
	return lines
}

func BenchmarkESA(b *testing.B) {
	for _, form := range []struct{ name, front, head string }{
		{"file", "", "Mon Jan _2 15:04:05 2006 Info: "}, {"syslog", "", "Jan _2 15:04:05 esa1 mail_logs: Info: "},
		{"syslog-iso", "", "2006-01-02T15:04:05+00:00 esa1 mail_logs: Info: "}, {"priority", "<22>", "Jan _2 15:04:05 esa.example.com: Info: "},
	} {
		b.Run(form.name, func(b *testing.B) {
			lines := esaTraffic(4000, form.front, form.head)
			var bytes int64
			for _, l := range lines {
				bytes += int64(len(l)) + 1
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			p, err := New(Options{FileTime: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)})
			if err != nil {
				b.Fatal(err)
			}
			events := 0
			emit := func(*track.Event) { events++ }
			for b.Loop() {
				for i, l := range lines {
					p.Line(l, int64(i+1), 0, emit)
				}
			}
			b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "lines/s")
			if s := p.Stats(); s.Foreign+s.Headerless > 0 || s.Dialects[len(s.Dialects)-2].Unknown > 0 {
				b.Errorf("%+v", s)
			}
		})
	}
}
