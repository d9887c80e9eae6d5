package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/search"
)

// esaLog is a split, a message that was rewritten twice and one that came back
// from the spam quarantine, as an appliance in New York would log them.
const esaLog = `Sat Nov 21 09:00:00 2026 Info: Begin Logfile
Sat Nov 21 09:00:00 2026 Info: Version: 15.0.0-104 SN: 420D-0AF2
Sat Nov 21 09:00:00 2026 Info: Time offset from UTC: -18000 seconds
Sat Nov 21 09:00:00 2026 Info: New SMTP ICID 700 interface Data 1 (192.0.2.10) address 198.51.100.7 reverse dns host mail.example.net verified yes
Sat Nov 21 09:00:01 2026 Info: ICID 700 ACCEPT SG UNKNOWNLIST match sbrs[-0.5:10.0] SBRS 5.6
Sat Nov 21 09:00:02 2026 Info: Start MID 41 ICID 700
Sat Nov 21 09:00:02 2026 Info: MID 41 ICID 700 From: <ann@example.net>
Sat Nov 21 09:00:02 2026 Info: MID 41 ICID 700 RID 0 To: <bob@example.com>
Sat Nov 21 09:00:02 2026 Info: MID 41 ICID 700 RID 1 To: <cid@example.com>
Sat Nov 21 09:00:03 2026 Info: MID 41 Message-ID '<a.1@example.net>'
Sat Nov 21 09:00:03 2026 Info: MID 41 Subject 'Minutes'
Sat Nov 21 09:00:04 2026 Info: MID 41 ready 512 bytes from <ann@example.net>
Sat Nov 21 09:00:05 2026 Info: MID 41 was split creating MID 42 due to a per-recipient policy STAFF in the inbound table
Sat Nov 21 09:00:05 2026 Info: Start MID 42 ICID 0
Sat Nov 21 09:00:05 2026 Info: MID 42 ICID 0 From: <ann@example.net>
Sat Nov 21 09:00:05 2026 Info: MID 42 ICID 0 RID 0 To: <cid@example.com>
Sat Nov 21 09:00:05 2026 Info: ICID 700 close
Sat Nov 21 09:00:06 2026 Info: MID 41 using engine: CASE spam negative
Sat Nov 21 09:00:06 2026 Info: MID 42 using engine: CASE spam positive
Sat Nov 21 09:00:07 2026 Info: MID 41 attachment 'minutes.pdf'
Sat Nov 21 09:00:07 2026 Info: MID 41 rewritten to MID 43 by add-footer filter 'Footer'
Sat Nov 21 09:00:07 2026 Info: Message finished MID 41 done
Sat Nov 21 09:00:08 2026 Info: MID 43 rewritten to MID 44 by url-threat-protection filter 'links'
Sat Nov 21 09:00:08 2026 Info: Message finished MID 43 done
Sat Nov 21 09:00:08 2026 Info: MID 44 queued for delivery
Sat Nov 21 09:00:09 2026 Info: New SMTP DCID 90 interface 192.0.2.10 address 203.0.113.25 port 25
Sat Nov 21 09:00:10 2026 Info: Message done DCID 90 MID 44 to RID [0]
Sat Nov 21 09:00:10 2026 Info: MID 44 RID [0] Response '2.0.0 Ok: queued as 4BZk9f0Q2Vz1qz'
Sat Nov 21 09:00:10 2026 Info: Message finished MID 44 done
Sat Nov 21 09:00:11 2026 Info: ISQ: Quarantined MID 42
Sat Nov 21 09:00:11 2026 Info: Message finished MID 42 done
Sat Nov 21 11:30:00 2026 Info: Start MID 99 ICID 0
Sat Nov 21 11:30:00 2026 Info: ISQ: Reinjected MID 42 as MID 99
Sat Nov 21 11:30:00 2026 Info: MID 99 ICID 0 From: <ann@example.net>
Sat Nov 21 11:30:00 2026 Info: MID 99 ICID 0 RID 0 To: <cid@example.com>
Sat Nov 21 11:30:01 2026 Info: Bounced: DCID 0 MID 99 to RID 0 - 5.1.2 - Bad destination host ('000', ['NXDomain']) []
Sat Nov 21 11:30:01 2026 Info: Message finished MID 99 done
`

// told is what an operator is told of all messages, without the ids that a
// store gives. connections leaves in what lines of connections say.
func told(a *search.Answer, connections bool) string {
	var b strings.Builder
	for _, m := range a.Messages {
		fmt.Fprintf(&b, "%s %s %s %q", m.Time, m.QueueID, m.Status, m.Reason)
		if connections {
			fmt.Fprintf(&b, " %v %v %d %q %q %s %d", m.Client, m.Verdicts, m.ICID, m.Subject, m.MessageID, m.Direction, m.Size)
		}
		for _, r := range m.Recipients {
			if connections {
				fmt.Fprintf(&b, " %s %s", r.Address, r.Relay)
			}
			fmt.Fprintf(&b, " [%s %s %d]", r.Status, r.Outcome, r.DCID)
		}
		if m.Parent != nil {
			fmt.Fprintf(&b, " %s of %s", m.Parent.Relation, m.Parent.QueueID)
		}
		for _, c := range m.Children {
			fmt.Fprintf(&b, " %s %s", c.Relation, c.QueueID)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestESAInPieces: the log of an appliance in two files, cut at any line, tells
// the same messages. Imported the wrong way round, every message is there with
// its times, results and relations, and what the first file says of connections
// and envelopes is missing where only the second one names them by number.
func TestESAInPieces(t *testing.T) {
	lines := strings.SplitAfter(strings.TrimSuffix(esaLog, "\n"), "\n")
	read := func(parts ...string) *search.Answer {
		data := t.TempDir()
		for i, text := range parts {
			im := open(t, data)
			path := filepath.Join(data, fmt.Sprintf("part%d.log", i))
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := run(t, t.Context(), im, path); err != nil {
				t.Fatal(err)
			}
			if err := im.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenReader(t.Context(), data, quiet, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		a, err := r.Find(t.Context(), search.Request{Relations: true})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	whole := read(esaLog)
	if len(whole.Messages) != 5 {
		t.Fatalf("%d messages:\n%s", len(whole.Messages), told(whole, true))
	}
	for cut := 4; cut < len(lines); cut += 3 {
		first, second := strings.Join(lines[:cut], ""), strings.Join(lines[cut:], "")
		if got, want := told(read(first, second), true), told(whole, true); got != want {
			t.Errorf("cut behind line %d:\n%swant\n%s", cut, got, want)
		}
		// Alone, the second part does not say in which zone its stamps are.
		zoned := strings.Join(lines[2:3], "") + second
		got := read(zoned, first)
		if a, b := told(got, false), told(whole, false); a != b {
			t.Errorf("cut behind line %d, the second part first:\n%swant\n%s", cut, a, b)
		}
	}
}
