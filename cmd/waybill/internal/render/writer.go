package render

import "waybill/internal/track"

// Writer takes the messages of an answer one by one and then its end.
type Writer interface {
	Message(m *track.Message) error
	End(t Tail) error
}

// Tail is what an answer says besides its messages.
type Tail struct {
	Next        string `json:"next,omitempty"` // cursor of the next page, "" when there is none
	Coverage    any    `json:"coverage"`       // in its public shape
	Explanation any    `json:"explanation,omitempty"`
}

// CheckFields reports the first name that an output format does not have, as
// the constructors do, but before anything is searched.
func CheckFields(output string, names []string) error {
	var err error
	switch output {
	case "json", "ndjson", "yaml":
		_, err = newEncoder(names)
	default:
		_, err = pick(names)
	}
	return err
}
