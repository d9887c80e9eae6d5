package search

import (
	"waybill/internal/track"
)

// Summary is what the messages of a search come to. Rejections count apart
// from messages, and are there unless the query excludes them.
type Summary struct {
	Messages   int   `json:"messages"`
	Rejections int   `json:"rejections"` // never became a message
	Bytes      int64 `json:"bytes"`      // of the messages with a size in the log
	Sized      int   `json:"sized"`      // how many these are
	Largest    int64 `json:"largest"`    // bytes

	Outcomes   []StatusCount `json:"outcomes"`   // messages by what became of them, as a search shows it
	Deliveries []StatusCount `json:"deliveries"` // recipients by what became of each
	Traffic    Traffic       `json:"traffic"`

	// Recipients that wait, that were given up, and what was refused: rejections,
	// recipients of a message and whole messages. By what this host knows.
	Deferred Top[Failure] `json:"deferred"`
	Failed   Top[Failure] `json:"failed"` // bounced or expired
	Rejected Top[string]  `json:"rejected"`

	Senders         Top[string]       `json:"senders"`    // "" is the null sender
	Recipients      Top[string]       `json:"recipients"` // messages, counted once for each address
	Clients         Top[track.Client] `json:"clients"`    // IP and name
	Users           Top[string]       `json:"users"`      // SASL
	RejectedClients Top[track.Client] `json:"rejected_clients"`

	Coverage Coverage     `json:"coverage"`
	Why      *Explanation `json:"explanation,omitempty"` // of an empty summary

	// Answer is that of the search, for its line, its doubts and its verdict.
	Answer *Answer `json:"-"`
}

// StatusCount is how often something had a status.
type StatusCount struct {
	Status track.Status `json:"status"`
	Count  int          `json:"count"`
}

// Failure is where recipients wait or were refused, and why.
type Failure struct {
	Domain string `json:"domain,omitempty"` // of the recipient
	Relay  string `json:"relay,omitempty"`  // name of the next hop, else its IP; "" when there was none
	Reason string `json:"reason,omitempty"` // see Reason
}

// Traffic is how many messages there were in each period.
type Traffic struct {
	Unit    string   `json:"unit"` // hour, day, month or year
	Periods []Period `json:"periods"`
	Undated int      `json:"undated,omitempty"` // messages and rejections of unknown time
}

// Period is an hour, day, month or year of the request's zone. All from the
// first to the last with a message are there, unless they are more than
// maxPeriods: then only those that have any.
type Period struct {
	From       track.Stamp `json:"from"`
	To         track.Stamp `json:"to"`
	Messages   int         `json:"messages"`
	Rejections int         `json:"rejections"`
	Bytes      int64       `json:"bytes"`
	// Incomplete: a gap in the coverage reaches into it.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Line is the answer in one line for people, as Answer.Line.
func (s *Summary) Line() string { return s.Answer.Line() }

// Verdict is what the summary amounts to, as of the search.
func (s *Summary) Verdict() Verdict { return s.Answer.Verdict() }
