package term

import (
	"bytes"
	"testing"
)

func TestColours(t *testing.T) {
	for _, tc := range []struct {
		name string
		tty  bool
		flag bool
		env  map[string]string
		want bool
	}{
		{name: "terminal", tty: true, want: true},
		{name: "pipe"},
		{name: "flag", tty: true, flag: true},
		{name: "NO_COLOR", tty: true, env: map[string]string{"NO_COLOR": "1"}},
		{name: "empty NO_COLOR is not set", tty: true, env: map[string]string{"NO_COLOR": ""}, want: true},
		{name: "forced", env: map[string]string{"CLICOLOR_FORCE": "1"}, want: true},
		{name: "forced with 0", env: map[string]string{"CLICOLOR_FORCE": "0"}},
		{name: "NO_COLOR beats force", env: map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}},
		{name: "dumb", tty: true, env: map[string]string{"TERM": "dumb"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := func(n string) (string, bool) { v, ok := tc.env[n]; return v, ok }
			if got := colours(tc.tty, env, tc.flag); got != tc.want {
				t.Errorf("colours = %v", got)
			}
		})
	}
}

func TestStreamOfAPipe(t *testing.T) {
	env := func(n string) (string, bool) { return map[string]string{"COLUMNS": "100"}[n], n == "COLUMNS" }
	s := NewStream(&bytes.Buffer{}, env, false)
	if s.TTY || s.Width != 100 || s.Style.Good("x") != "x" {
		t.Errorf("stream = %+v", s)
	}
}
