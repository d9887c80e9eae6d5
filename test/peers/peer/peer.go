package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Required is the environment variable that turns a missing peer from a
// skipped test into a failed one. Continuous integration sets it to 1.
const Required = "WAYBILL_REQUIRE_PEERS"

// Missing is what keeps a peer from being used; empty when nothing does.
func Missing(root bool, programs ...string) string {
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return "not installed: " + strings.Join(missing, ", ")
	}
	if root && os.Geteuid() != 0 {
		return strings.Join(programs, ", ") + " must be started by root"
	}
	return ""
}

// Skip ends the test because a peer cannot be used: as skipped, or as failed
// where peers are required.
func Skip(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv(Required) == "1" {
		tb.Fatalf("%s=1 and a peer is missing: %s", Required, why)
	}
	tb.Skipf("peer missing: %s", why)
}

// FreePorts returns n different TCP ports of 127.0.0.1 that nobody listens on.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all stay open until the last is found, so none comes twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
