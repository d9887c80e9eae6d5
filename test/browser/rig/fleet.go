package rig

import (
	"time"

	"waybill/internal/health"
)

// Fleet is what the services of a host that is gateway and manager say of
// themselves, a few of them with something to tell.
func Fleet(now time.Time) []health.Report {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return []health.Report{
		{Process: "gateway", Name: "mx-a", Version: "waybill 1.0", PID: 711, Started: ago(26 * time.Hour), Written: now, Steps: []health.Step{
			{Kind: "source", Name: "/var/log/mail.log", Level: health.OK, Text: "48213 lines, the last one 2 s old"},
			{Kind: "source", Name: "journal of postfix@-.service", Level: health.Problem, Text: "cannot read the journal: permission denied", Fix: "sudo usermod -aG systemd-journal waybill"},
			{Kind: "window", Level: health.OK, Text: "window 521 is open, 88 events in it; the last one sealed", At: ago(95 * time.Second)},
			{Kind: "spool", Name: "pub/export/tracking", Level: health.OK, Text: "1440 files, 61.2 MB of 10 GB, the oldest 72 h old"},
			{Kind: "collector", Name: "mgr-a", Level: health.OK, Text: "required at 192.0.2.80, 1 file waits, came", At: ago(40 * time.Second)},
			{Kind: "collector", Name: "mgr-a@192.0.2.92", Level: health.Warning, Text: "pending at 192.0.2.92, 480 files wait, came", Fix: "waybill collectors approve mgr-a@192.0.2.92", At: ago(3 * time.Minute)},
		}},
		{Process: "manager", Version: "waybill 1.0", PID: 702, Started: ago(26 * time.Hour), Written: now, Pages: "http://127.0.0.1:8025/", Steps: []health.Step{
			{Kind: "gateway", Name: "mx-b", Level: health.OK, Text: "connected, 5120 files pulled, the newest window ended 70 s ago; asked", At: ago(9 * time.Second)},
			{Kind: "gateway", Name: "mx-c", Level: health.Problem, Text: "held, 77 files pulled: the host key has changed; asked", Fix: "compare it at the gateway, then waybill gateways resume mx-c --host-key SHA256:qW4e1bW9o1nV8m0Zb9cQ1H2t3u4v5w6x7y8z9A0B1C2", At: ago(2 * time.Hour)},
			{Kind: "queue", Name: "tracking/incoming_queue", Level: health.OK, Text: "0 files waiting (0 % of the room), 5197 files and 402,113 events taken"},
			{Kind: "store", Name: "tracking/db", Level: health.OK, Text: "61870 messages new, 902 updated; the last", At: ago(9 * time.Second)},
			{Kind: "quarantine", Name: "mx-c tracking.@20261125T091631Z_20261125T091931Z.s.gz", Level: health.Warning, Text: "is damaged at byte 84: ends before its trailer"},
		}, Accounts: []health.Account{
			{Gateway: "mx-b", Written: 5121, Sealed: 5121, Pulled: 5120, Stored: 5120, Accounted: 1},
			{Gateway: "mx-c", Written: 80, Sealed: 79, Pulled: 77, Stored: 76, Accounted: 3, Unexplained: 1},
		}},
	}
}
