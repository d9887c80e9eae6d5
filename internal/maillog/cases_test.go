package maillog

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/track"
)

var update = flag.Bool("update", false, "rewrite the .events files of the cases")

// keyNames are how the .events files name attributes.
var keyNames = map[track.Key]string{
	track.Sender: "from", track.Recipient: "to", track.Original: "orig_to", track.Size: "size",
	track.RcptCount: "nrcpt", track.MessageIDHdr: "message_id", track.Subject: "subject",
	track.ClientIP: "client_ip", track.ClientName: "client_name", track.ClientPort: "client_port",
	track.Helo: "helo", track.User: "user", track.Mechanism: "mechanism", track.TLSProtocol: "tls",
	track.TLSCipher: "cipher", track.TLSTrust: "trust", track.Relay: "relay", track.RelayIP: "relay_ip",
	track.RelayPort: "relay_port", track.RelayName: "relay_name", track.DSN: "dsn", track.StatusWord: "status",
	track.Response: "response", track.Delay: "delay", track.Delays: "delays", track.ConnUse: "conn_use",
	track.Route: "route", track.MaybeSent: "maybe_sent", track.LinkID: "link", track.LinkRelation: "relation",
	track.Reason: "reason", track.Protocol: "proto", track.UID: "uid", track.Verdict: "verdict",
	track.Engine: "engine", track.Score: "score", track.Instance: "instance", track.Stage: "stage",
	track.ParentID: "parent", track.ParentRel: "parent_relation", track.StatusCode: "code", track.Action: "action",
	track.MTA: "mta", track.RID: "rid", track.DCID: "dcid", track.Attachment: "attachment", track.FileHash: "hash",
	track.Direction: "direction",
}

// render writes an event as one line of an .events file.
func render(e *track.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", e.Line, e.Time.Time().Format("15:04:05"), e.Kind)
	if e.QueueID != "" {
		b.WriteString(" " + e.QueueID)
	}
	if e.MID != 0 {
		fmt.Fprintf(&b, " mid=%d", e.MID)
	}
	if e.ICID != 0 {
		fmt.Fprintf(&b, " icid=%d", e.ICID)
	}
	for _, a := range e.Attrs {
		name := keyNames[a.Key]
		if name == "" {
			name = "key" + strconv.Itoa(int(a.Key))
		}
		v := a.Value
		if v == "" || strings.ContainsAny(v, " \"=") || strconv.Quote(v) != `"`+v+`"` {
			v = strconv.Quote(v)
		}
		b.WriteString(" " + name + "=" + v)
	}
	return b.String()
}

// caseOptions are those of every case.
var caseOptions = Options{Gateway: "mx", Year: 2026, FileTime: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}

// readCase runs a Parser over the lines of a log.
func readCase(t *testing.T, log string) (events []string, stats Stats) {
	t.Helper()
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	var offset int64
	for i, line := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
		p.Line(line, int64(i+1), offset, func(e *track.Event) {
			checkEvent(t, e)
			events = append(events, render(e))
		})
		offset += int64(len(line)) + 1
	}
	return events, p.Stats()
}

// TestCases runs each testdata/DIALECT/NN-what.log and compares the events and
// counts with the .events beside it; the .readme says why the case is there.
func TestCases(t *testing.T) {
	logs, err := filepath.Glob("testdata/*/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range logs {
		name := strings.TrimSuffix(path, ".log")
		t.Run(strings.TrimPrefix(filepath.ToSlash(name), "testdata/"), func(t *testing.T) {
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if why, err := os.ReadFile(name + ".readme"); err != nil || len(strings.TrimSpace(string(why))) == 0 {
				t.Errorf("the case gives no reason: %v", err)
			}
			events, stats := readCase(t, string(log))
			for _, d := range stats.Dialects {
				for _, s := range d.Samples {
					events = append(events, "unknown: "+s)
				}
				if d.Parsed+d.Ignored+d.Unknown > 0 {
					events = append(events, fmt.Sprintf("%s: %d parsed, %d ignored, %d unknown", d.Name, d.Parsed, d.Ignored, d.Unknown))
				}
			}
			if n := stats.Headerless + stats.Foreign + stats.Blank; n > 0 {
				events = append(events, fmt.Sprintf("others: %d headerless, %d foreign, %d blank", stats.Headerless, stats.Foreign, stats.Blank))
			}
			got := strings.Join(events, "\n") + "\n"
			if *update {
				if err := os.WriteFile(name+".events", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(name + ".events")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("events differ (-want +got):\n%s", d)
			}
		})
	}
}
