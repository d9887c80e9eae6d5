package health

import (
	"testing"
	"time"
)

func TestLevelIsTheWorst(t *testing.T) {
	r := Report{Steps: []Step{{Level: OK}, {Level: Warning}, {Level: Off}}}
	if got := r.Level(); got != Warning {
		t.Errorf("Level = %s, want %s", got, Warning)
	}
	r.Accounts = []Account{{Unexplained: 1}}
	if got := r.Level(); got != Problem {
		t.Errorf("with an unexplained window Level = %s, want %s", got, Problem)
	}
	if got := (&Report{}).Level(); got != OK {
		t.Errorf("of nothing Level = %s, want %s", got, OK)
	}
}

func TestRunning(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		r    Report
		want bool
	}{
		{"just now", Report{Written: now}, true},
		{"a little ago", Report{Written: now.Add(-20 * time.Second)}, true},
		{"long ago", Report{Written: now.Add(-time.Minute)}, false},
		{"in the future", Report{Written: now.Add(time.Hour)}, false},
		{"ended", Report{Written: now, Stopped: true}, false},
		{"never", Report{}, false},
	} {
		if got := tc.r.Running(now); got != tc.want {
			t.Errorf("%s: Running = %t, want %t", tc.name, got, tc.want)
		}
	}
}
