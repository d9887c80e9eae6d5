package maillog

import (
	"encoding/json"
	"errors"
	"strings"
)

// Bounds of what is kept in a state.
const (
	maxStateTold     = 500
	maxStateTellers  = 200
	maxStateTroubles = 100 // the notification follows at once
)

// errEximState is returned for a state that save did not make.
var errEximState = errors.New("state is damaged")

// eximState is what Exim's dialect must know in another process.
type eximState struct {
	Entry  *eximEntry     `json:"entry,omitempty"`
	Parts  eximParts      `json:"parts,omitempty"`
	Now    *moment        `json:"now,omitempty"`
	Before *moment        `json:"before,omitempty"`
	Last   []eximStateSay `json:"last,omitempty"`

	Troubles []eximStateTrouble `json:"troubles,omitempty"`
}

type eximStateTrouble struct {
	Host     string `json:"host,omitempty"`
	ID       string `json:"id"`
	Failed   bool   `json:"failed,omitempty"`
	Deferred bool   `json:"deferred,omitempty"`
}

type eximStateSay struct {
	stateProc
	Text string `json:"text"`
}

func (e *exim) skipped() {
	e.entry.close()
	e.parts = nil
}

// newPiece forgets the refusals of the last moment. The other log may tell of
// the same ones, and they must get the same keys again.
func (e *exim) newPiece() { e.seen.now, e.seen.before = moment{}, moment{} }

func (e *exim) save() []byte {
	var s eximState
	if e.entry.ID != "" {
		s.Entry = &e.entry
	}
	s.Parts = e.parts
	if len(e.seen.now.Told) > 0 && len(e.seen.now.Told) <= maxStateTold {
		s.Now = &e.seen.now
	}
	if len(e.seen.before.Told) > 0 && len(e.seen.before.Told) <= maxStateTold {
		s.Before = &e.seen.before
	}
	if t := e.seen.last; t != nil {
		for p := t.first; p != nil && len(s.Last) < maxStateTellers; p = p.old {
			if p.val != "" {
				s.Last = append(s.Last, eximStateSay{procState(p.key), p.val})
			}
		}
	}
	if t := e.troubles; t != nil {
		for p := t.first; p != nil && len(s.Troubles) < maxStateTroubles; p = p.old {
			s.Troubles = append(s.Troubles, eximStateTrouble{p.key.host, p.key.id, p.val.failed, p.val.deferred})
		}
	}
	if s.Entry == nil && s.Parts == nil && s.Troubles == nil && s.Now == nil && s.Before == nil && s.Last == nil {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil // cannot be: strings and numbers only
	}
	return b
}

func (e *exim) load(c *cursor, b []byte) error {
	var s eximState
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s.Entry != nil {
		if !isEximID(s.Entry.ID) && !strings.HasPrefix(s.Entry.ID, "!") {
			return errEximState
		}
		e.entry = *s.Entry
	}
	for _, l := range s.Parts {
		if len(e.parts) < maxParts && l.Next > 1 && l.Next <= l.Of {
			e.parts = append(e.parts, l)
		}
	}
	if s.Now != nil {
		e.seen.now = *s.Now
	}
	if s.Before != nil {
		e.seen.before = *s.Before
	}
	for i := len(s.Troubles) - 1; i >= 0; i-- {
		t := s.Troubles[i]
		if e.troubles == nil {
			e.troubles = newTable[troubleKey, trouble](maxTroubles)
		}
		k := troubleKey{t.Host, t.ID}
		if e.troubles.get(k) == nil {
			e.troubles.put(k).val = trouble{t.Failed, t.Deferred}
		}
	}
	for i := len(s.Last) - 1; i >= 0; i-- {
		if e.seen.last == nil {
			e.seen.last = newTable[procKey, string](maxTellers)
		}
		k := c.p.proc(s.Last[i].stateProc)
		if e.seen.last.get(k) == nil {
			e.seen.last.put(k).val = s.Last[i].Text
		}
	}
	return nil
}
