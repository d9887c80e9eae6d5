package web

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestShellWord lets a shell read words back.
func TestShellWord(t *testing.T) {
	words := []string{"ann@example.com", "a b", "it's", `"quoted"`, `back\slash`, "$(id)", "`id`", "!!", "~root", "=zsh", "-rf", "*", "a\nb", "a\tb", "\x1b[31m", "\u202efdp.exe", "é", "مرحبا", "'", `\`, "", "\u200b1"}
	bash, err := exec.LookPath("bash")
	for _, w := range words {
		got := shellWord(w)
		shell := "sh"
		if strings.HasPrefix(got, "$'") {
			if shell = bash; err != nil {
				t.Logf("no bash: %q is not tried", w)
				continue
			}
		}
		out, err := exec.Command(shell, "-c", "printf %s "+got).Output()
		if err != nil || string(out) != w {
			t.Errorf("%q is written as %s and read back as %q (%v)", w, got, out, err)
		}
		if strings.ContainsAny(got, "\x1b\n\u202e\u200b") {
			t.Errorf("%q: what cannot be seen is still there", got)
		}
	}
}

func TestCommand(t *testing.T) {
	s := &site{Options: Options{Zone: time.UTC, DataDir: "/tmp/my data"}}
	if got, want := s.command("search", "-status:delivered sender:o'hara"), `waybill search --data '/tmp/my data' --tz UTC -- '-status:delivered sender:o'\''hara'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
