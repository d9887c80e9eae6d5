package render

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/app"
	"waybill/internal/export"
	"waybill/internal/health"
	"waybill/internal/safetext"
	"waybill/internal/smad"
)

// TestServices shows status, gateways and collectors with names as long as they
// may be, in a terminal of 80 columns.
func TestServices(t *testing.T) {
	now := time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	clock := Clock{Zone: time.UTC, Now: now}
	long := strings.Repeat("edge-", 8) + "mail.frankfurt.example.com"
	reports := []health.Report{
		{Process: "gateway", Name: "mx-a", Version: "waybill 1.0", PID: 7, Started: ago(time.Hour), Written: now, Steps: []health.Step{
			{Kind: "source", Name: "/var/log/mail.log", Level: health.OK, Text: "48213 lines, the last one 2 s old"},
			{Kind: "window", Level: health.OK, Text: "window 521 is open, 88 events in it; the last one sealed", At: ago(95 * time.Second)},
			{Kind: "collector", Level: health.Warning, Text: "nobody collects from here yet", Fix: "waybill join --token-file FILE, or waybill collectors add --key KEY"},
		}},
		{Process: "manager", Version: "waybill 1.0", PID: 8, Started: ago(time.Hour), Written: now, Pages: "http://127.0.0.1:8025/", Steps: []health.Step{
			{Kind: "gateway", Name: "mx-a", Level: health.OK, Text: "connected, 5120 files pulled, the newest window ended 70 s ago; asked", At: ago(9 * time.Second)},
			{Kind: "gateway", Name: long, Level: health.Problem, Text: "held, 77 files pulled: the host key has changed\x1b[2J; asked", At: ago(2 * time.Hour),
				Fix: "compare it at the gateway, then waybill gateways resume " + long + " --host-key SHA256:qW4e"},
			{Kind: "quarantine", Name: "mx-a tracking.@20261125T091631Z_20261125T091931Z.s.gz", Level: health.Warning, Text: "is damaged at byte 84: ends before its trailer"},
		}},
		{Process: "sshd", Name: "mx-a", Written: ago(time.Hour), Stopped: true},
	}
	gateways := []app.GatewayInfo{
		{Gateway: smad.Gateway{Name: "mx-a", Address: "192.0.2.64:2222"}, Running: true, Status: &smad.GatewayStatus{State: smad.Idle, Mode: smad.Waybill, LastPull: ago(time.Minute), Newest: ago(70 * time.Second)}},
		{Gateway: smad.Gateway{Name: long, Address: "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:2222"}, Running: true, Status: &smad.GatewayStatus{State: smad.Held, Mode: smad.Waybill, LastPull: ago(time.Hour), Newest: ago(time.Hour), Waiting: 480,
			Error: &smad.Problem{Cause: smad.CauseHostKey, Text: "the host key has changed"}}},
		{Gateway: smad.Gateway{Name: "mx-c", Address: "192.0.2.66:2222"}, Enrolling: true},
	}
	collectors := []export.Collector{
		{ID: "c-A2DJQUYCOLJF", Name: "mgr-a", Fingerprint: "SHA256:cJU2DQmyH92/Vxf2NP0FLR8MGSG6Zvp8wRYGzudvMxc", Role: export.Required, Address: netip.MustParseAddr("192.0.2.80"), Seen: ago(time.Minute)},
		{ID: "c-4BLKWA7EQVIN", Name: long + "@2001:db8:85a3:8d3:1319:8a2e:370:7348", Fingerprint: "SHA256:gID/o1n9dvh+KxvDnRhhNVvceXYKxpq5oFe9c99ZUns", Role: export.PendingRole,
			Pinned: []netip.Addr{netip.MustParseAddr("192.0.2.81"), netip.MustParseAddr("2001:db8::81")}},
	}
	for name, write := range map[string]func(*term.Stream) error{
		"status-80":     func(out *term.Stream) error { return Health(out, reports, clock, now) },
		"gateways-80":   func(out *term.Stream) error { return Gateways(out, gateways, clock) },
		"collectors-80": func(out *term.Stream) error { return Collectors(out, collectors, clock) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(stream(&b, 80, term.Style{})); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if strings.Contains(line, "\x1b") {
					t.Errorf("%q drives the terminal", line)
				}
				if w := safetext.Width(line); w > 80 {
					t.Errorf("%d columns: %s", w, line)
				}
			}
			golden(t, name, b.String())
		})
	}
}
