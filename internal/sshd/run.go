package sshd

import (
	"bufio"
	"encoding/json"
	"slices"
	"strings"
)

// list prints one name on a line, as "ls -AF" does for plain files.
func (s *session) list(v Visit) error {
	entries, err := v.List()
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if isFile(e.Name) {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	w := bufio.NewWriterSize(s.timed(s.ch), 32<<10)
	for _, name := range names {
		if _, err := w.WriteString(name + "\n"); err != nil {
			return nil // the peer went away: nothing was promised
		}
	}
	_ = w.Flush()
	return nil
}

// Protocol is the version of Waybill's own commands, as told by hello.
const Protocol = 1

// greeting is the answer to hello.
type greeting struct {
	Waybill  string `json:"waybill"`
	Protocol int    `json:"protocol"`
	Gateway  string `json:"gateway"`
	Serial   string `json:"serial"`
	Window   string `json:"window"`
}

func (s *session) greet() error {
	b, err := json.Marshal(greeting{s.s.Version, Protocol, s.s.Gateway, s.s.Serial, s.s.Window.String()})
	if err != nil {
		return err
	}
	_, _ = s.timed(s.ch).Write(append(b, '\n'))
	return nil
}

// evidence prints what the journals say of a time, an event on a line.
func (s *session) evidence(c Command, v Visit) error {
	w := bufio.NewWriterSize(s.timed(s.ch), 32<<10)
	for event, err := range v.Evidence(c.From, c.To) {
		if err != nil {
			_ = w.Flush()
			return err
		}
		b, err := json.Marshal(event)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return nil // the peer went away: nothing was promised
		}
	}
	_ = w.Flush()
	return nil
}

// enrolment is the line that answers enrol.
func enrolment(mac, gateway, serial string) string {
	return strings.Join([]string{"waybill-enrol", "1", mac, gateway, serial}, " ") + "\n"
}
