package window

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxNotes bounds the notes of a window, and what a damaged file can make
// Recover keep.
const maxNotes = 10_000

// noteTable holds what the writer of a live window must know to go on after a crash
// and nobody else needs: readers pass them over.
type noteTable struct {
	now     map[string][]byte
	changed []string          // keys that are not written yet
	read    map[string][]byte // by Recover, of the commit that is being read
}

// SetNote keeps a value under a key for the writer's own use after Recover. It
// takes effect with the next Flush or Seal, together with the events and sources
// until then.
func (w *Writer) SetNote(key string, value []byte) {
	if w.notes.now == nil {
		w.notes.now = make(map[string][]byte)
	}
	w.notes.now[key] = slices.Clone(value)
	if !slices.Contains(w.notes.changed, key) {
		w.notes.changed = append(w.notes.changed, key)
	}
}

// Notes returns what SetNote kept; after Recover, as of the last commit.
func (w *Writer) Notes() map[string][]byte { return maps.Clone(w.notes.now) }

// writeNotes writes the notes that changed; the frame of sources behind them
// makes them count.
func (w *Writer) writeNotes() error {
	for _, key := range w.notes.changed {
		b := putBytes(w.frame(), 1, key)
		b = putItem(b, 2, w.notes.now[key])
		if err := w.write(frameNote, b); err != nil {
			return err
		}
		w.pending = true
	}
	w.notes.changed = w.notes.changed[:0]
	return nil
}

// readNote takes a frame of a note.
func (n *noteTable) readNote(payload []byte) error {
	var key string
	var value []byte
	if err := fields(payload, func(num protowire.Number, _ uint64, data []byte) error {
		switch num {
		case 1:
			key = string(data)
		case 2:
			value = slices.Clone(data)
		}
		return nil
	}); err != nil {
		return err
	}
	if n.read == nil {
		n.read = make(map[string][]byte)
	}
	if n.read[strings.Clone(key)] = value; len(n.read) > maxNotes {
		return fmt.Errorf("%w: %d notes", ErrLimit, len(n.read))
	}
	return nil
}

// keep makes what was read count.
func (n *noteTable) keep() {
	if n.now == nil && len(n.read) > 0 {
		n.now = make(map[string][]byte)
	}
	maps.Copy(n.now, n.read)
	clear(n.read)
}
