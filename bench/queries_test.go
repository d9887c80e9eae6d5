package main

import (
	"testing"
	"time"

	"waybill/internal/search"
	"waybill/internal/track"
)

// TestQuestionsAreUnderstood keeps the bench from measuring how fast a fault
// is reported.
func TestQuestionsAreUnderstood(t *testing.T) {
	who := `o"hara@src.test`
	empty := ""
	pool := []*track.Message{
		{Sender: &who, Subject: `a "quoted" \ subject`, MessageID: "<1.2@vm>", QueueID: "D33DE9E2078", Time: track.StampOf(time.Unix(1e9, 0)),
			Client: &track.Client{IP: "198.18.0.7", Name: "mail.example"}, Recipients: []track.Rcpt{{Address: "ann@ok.test"}}},
		{Sender: &empty},
	}
	for _, c := range classes {
		asked := 0
		for n := range 20 {
			text, from, _ := c.make(pool, n)
			if text == "" && from == "" {
				continue
			}
			asked++
			if _, err := search.Parse(text); err != nil {
				t.Errorf("%s: %q: %v", c.name, text, err)
			}
		}
		if asked == 0 {
			t.Errorf("%s: no question was asked", c.name)
		}
	}
}
