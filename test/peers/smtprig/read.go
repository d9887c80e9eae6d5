package smtprig

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadTruth reads what Write wrote.
func ReadTruth(r io.Reader) (*Truth, error) {
	t := &Truth{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Split(lines.Text(), "\t")
		switch {
		case strings.HasPrefix(f[0], "#"):
		case f[0] == "sent" && (len(f) == 11 || len(f) == 12): // older truths do not count refusals
			s := Sent{Class: f[1], Instance: f[2], Service: f[3], Sender: f[4], To: list(f[5]), MessageID: f[6], QueueID: f[7], Result: f[8],
				Expect: map[string]string{}}
			var err error
			if s.Code, err = strconv.Atoi(f[9]); err != nil {
				return nil, fmt.Errorf("truth, line %d: %w", n, err)
			}
			for _, e := range list(f[10]) {
				at := strings.LastIndexByte(e, '=')
				if at < 0 {
					return nil, fmt.Errorf("truth, line %d: %q is no expectation", n, e)
				}
				s.Expect[e[:at]] = e[at+1:]
			}
			if len(f) == 12 {
				if s.Refusals, err = strconv.Atoi(f[11]); err != nil {
					return nil, fmt.Errorf("truth, line %d: %w", n, err)
				}
			}
			t.Sent = append(t.Sent, s)
		case f[0] == "sink" && len(f) == 8:
			port, err := strconv.Atoi(f[2])
			if err != nil {
				return nil, fmt.Errorf("truth, line %d: %w", n, err)
			}
			t.Sunk = append(t.Sunk, Sunk{Sink: f[1], Port: port, Sender: f[3], To: list(f[4]), MessageID: f[5], TLS: f[6], Result: f[7]})
		case f[0] == "did" && len(f) == 5:
			t.Did = append(t.Did, Did{Action: f[1], Instance: f[2], QueueID: f[3], MessageID: f[4]})
		default:
			return nil, fmt.Errorf("truth, line %d: not a line of it", n)
		}
	}
	return t, lines.Err()
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
