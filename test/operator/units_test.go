package operator

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"waybill/test/peers/peer"
)

// TestUnits asks systemd what it thinks of the units: nothing in them is unknown,
// and they leave little to an intruder.
func TestUnits(t *testing.T) {
	if why := peer.Missing(false, "systemd-analyze"); why != "" {
		peer.Skip(t, why)
	}
	units, err := filepath.Glob("../../packaging/systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units: %q, %v", units, err)
	}
	// What it says of a program and a manual page that are not installed is no matter.
	out, _ := exec.Command("systemd-analyze", append([]string{"verify"}, units...)...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "waybill-") && !strings.Contains(line, "/usr/bin/waybill is not executable") && !strings.Contains(line, "Command 'man ") {
			t.Error(strings.TrimSpace(line))
		}
	}
	for _, u := range units {
		if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", u).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", u, err, out)
		}
	}
}
