package doctor

import (
	"strings"
	"testing"
	"time"
)

func TestLength(t *testing.T) {
	for n, want := range map[int64]string{0: "0 s", 119: "119 s", 120: "2 min 00 s", 3599: "59 min 59 s", 10980: "3 h 03 min", 47 * 3600: "47 h 00 min", 52 * 3600: "2 d 4 h"} {
		if got := length(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 4: "+4 s", -2: "−2 s", 185: "+3 min 05 s"} {
		if got := (Step{After: n}).Since(); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestRemedyOfMany: what is to be done about a cause names all gateways, and all
// of the time, that it is about.
func TestRemedyOfMany(t *testing.T) {
	from := time.Date(2023, 2, 13, 22, 16, 32, 0, time.UTC)
	r := &Report{Managers: []Manager{{Address: smallMain, Main: true}}}
	for i, gateway := range []string{"192.0.2.64", "192.0.2.64", "192.0.2.65", "192.0.2.66"} {
		at := from.Add(time.Duration(i) * time.Hour)
		r.Findings = append(r.Findings, Finding{Gateway: gateway, Cause: UnknownCause, From: at, To: at.Add(3 * time.Minute)})
	}
	group := r.Groups()[0]
	want := "Give the cli_logs of 192.0.2.64, 192.0.2.65 and 192.0.2.66 from 2023-02-13 22:16 to 2023-02-14 02:19 UTC, too: they tell who listed, copied and removed what."
	if got := group.Remedy(); got != want {
		t.Errorf("%q", got)
	}
	for cause, want := range map[Cause]string{TakenByOther: "remove the gateways 192.0.2.64, 192.0.2.65 and 192.0.2.66 or", TransferFailed: "Look on " + smallMain + " for files of 192.0.2.64, ", NeverProduced: "system logs of 192.0.2.64, 192.0.2.65 and 192.0.2.66 why"} {
		group.Cause = cause
		if got := group.Remedy(); !strings.Contains(got, want) {
			t.Errorf("%s: %q", cause, got)
		}
	}
}

func TestSome(t *testing.T) {
	all := strings.Fields("a b c d e f g h i")
	for n, want := range map[int]string{1: "a", 2: "a and b", 3: "a, b and c", 7: "a, b, c, d, e, f and g", 8: "a, b, c, d, e, f and 2 more", 9: "a, b, c, d, e, f and 3 more"} {
		if got := some(all[:n]); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
