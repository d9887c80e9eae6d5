package track

import "testing"

// TestOutcomesOfASplitMessage: a filter takes a message with two recipients
// and gives it back as two, each of which names the message as its parent.
func TestOutcomesOfASplitMessage(t *testing.T) {
	child := func(id, to string, out Status) Message {
		return Message{QueueID: id, Status: out, Recipients: []Rcpt{{Address: to, Status: out, Outcome: out}}}
	}
	ok, dead := child("OK", "ann@ok.example", StatusDelivered), child("DEAD", "bob@dead.example", StatusExpired)
	whole := func(c *Message) Child {
		return Child{Link: Link{QueueID: c.QueueID, Relation: Reinjected, Rcpt: -1}, Message: c}
	}
	line := func(c *Message, i int) Child {
		return Child{Link: Link{QueueID: c.QueueID, Relation: Next, Rcpt: i}, Message: c}
	}
	for _, tc := range []struct {
		name     string
		children []Child
	}{
		{"named by lines and by themselves", []Child{line(&ok, 0), line(&dead, 1), whole(&ok), whole(&dead)}},
		{"the other way round", []Child{whole(&dead), whole(&ok), line(&dead, 1), line(&ok, 0)}},
		{"named by themselves", []Child{whole(&ok), whole(&dead)}},
		{"named by themselves, the other way round", []Child{whole(&dead), whole(&ok)}},
	} {
		m := Message{Recipients: []Rcpt{{Address: "ann@ok.example", Status: StatusDelivered}, {Address: "bob@dead.example", Status: StatusDelivered}}}
		m.SetOutcomes(tc.children)
		if a, b := m.Recipients[0].Outcome, m.Recipients[1].Outcome; a != StatusDelivered || b != StatusExpired {
			t.Errorf("%s: outcomes %s and %s", tc.name, a, b)
		}
	}
}
