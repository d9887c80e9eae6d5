package fleet

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"waybill/internal/doctor"
)

// examine examines the logs of a manager and of gateways.
func examine(t *testing.T, m *host, gateways ...*host) *doctor.Report {
	t.Helper()
	args := []string{"-q", "doctor", "-o", "json", filepath.Join(m.data, "pub", "trackerd_logs"), filepath.Join(m.data, "pub", "smad_logs")}
	for _, g := range gateways {
		args = append(args, filepath.Join(g.data, "pub", "cli_logs"))
	}
	out, code := m.run(t, args...)
	if code != 0 && code != 3 && code != 6 {
		t.Fatalf("doctor: exit code %d: %s", code, out)
	}
	r := &doctor.Report{}
	if err := json.Unmarshal([]byte(out), r); err != nil {
		t.Fatalf("doctor: %v: %s", err, out)
	}
	for _, u := range r.Uncovered { // at both ends a window may be on its way
		if !strings.HasPrefix(u.Reason, "behind the last window") && !strings.HasPrefix(u.Reason, "before the first window") {
			t.Errorf("the doctor at %s does not tell %+v", m.name, u)
		}
	}
	return r
}
