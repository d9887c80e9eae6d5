package timeline

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"waybill/internal/track"
)

// version is the first byte of a block. Blocks of version 1 have no offsets.
const version = 2

// maxPatterns bounds the patterns of a block: text that no pattern fits would
// otherwise make the table as large as the text.
const maxPatterns = 4096

// Encoder makes blocks. It is not safe for use by several goroutines; each
// takes its own.
type Encoder struct {
	zw  *zstd.Encoder
	cut cutter

	patterns map[string]uint64
	table    []byte // patterns in their order
	key      []byte

	// Columns, each compressed as one run of like values.
	counts, heads, ids, times, pids, lines, offsets []byte
	values                                          [256][]byte

	messages int
	lastTime int64
	last     places
	lastMID  uint64
	lastICID uint64
	raw      []byte
}

// NewEncoder returns an Encoder.
func NewEncoder() (*Encoder, error) {
	zw, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithEncoderDictRaw(dictID, typical), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<18), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make timeline encoder: %w", err)
	}
	return &Encoder{zw: zw, patterns: make(map[string]uint64)}, nil
}

// Messages is the number of messages in the open block.
func (w *Encoder) Messages() int { return w.messages }

// Add puts the events of one message, or of a part of one, into the open block
// and returns its index there.
func (w *Encoder) Add(events []track.Event) int {
	w.counts = binary.AppendUvarint(w.counts, uint64(len(events)))
	w.cut.reset()
	if len(events) > 0 {
		w.head(&events[0])
	}
	for i := range events {
		w.add(&events[0], &events[i], i)
	}
	w.messages++
	return w.messages - 1
}

// head writes what all events of a message mostly share.
func (w *Encoder) head(e *track.Event) {
	w.ids = appendString(w.ids, e.QueueID)
	w.heads = binary.AppendVarint(w.heads, int64(e.MID-w.lastMID))
	w.heads = binary.AppendVarint(w.heads, int64(e.ICID-w.lastICID))
	w.heads = binary.AppendUvarint(w.heads, uint64(e.Source))
	w.lastMID, w.lastICID = e.MID, e.ICID
}

func (w *Encoder) add(first, e *track.Event, i int) {
	w.cut.cut(e)
	f := frame{kind: e.Kind, uncertain: e.Uncertain, hasID: e.QueueID == first.QueueID, hasMID: e.MID == first.MID, host: e.Host, tag: e.Tag}
	var n uint64
	same := f.hasMID && f.hasID && e.Source == first.Source && e.ICID == first.ICID
	w.key = appendFrame(w.key[:0], f)
	if same {
		w.key = append(w.key, 1)
	} else {
		w.key = append(w.key, 0)
	}
	head := len(w.key)
	w.key = append(w.key, w.cut.buf...)
	n, ok := w.patterns[string(w.key)]
	if !ok && len(w.patterns) >= maxPatterns {
		w.cut.whole(e)
		w.key = append(w.key[:head], w.cut.buf...)
		n, ok = w.patterns[string(w.key)]
	}
	if !ok {
		n = uint64(len(w.patterns))
		w.patterns[string(w.key)] = n
		w.table = binary.AppendUvarint(w.table, uint64(len(w.key)))
		w.table = append(w.table, w.key...)
	}
	w.heads = binary.AppendUvarint(w.heads, n)
	if !same {
		w.ids = appendString(w.ids, e.QueueID)
		w.heads = binary.AppendVarint(w.heads, int64(e.MID-first.MID))
		w.heads = binary.AppendVarint(w.heads, int64(e.ICID-first.ICID))
		w.heads = binary.AppendUvarint(w.heads, uint64(e.Source))
	}
	w.time(int64(e.Time))
	w.pids = binary.AppendUvarint(w.pids, uint64(e.PID))
	at := w.last.of(e.Source)
	w.lines = binary.AppendVarint(w.lines, e.Line-at.line)
	w.offsets = binary.AppendVarint(w.offsets, e.Offset-at.guess(e.Line))
	at.went(e)
	for _, v := range w.cut.values {
		w.values[v.key] = appendString(w.values[v.key], v.text)
	}
}

// time writes a step in the coarsest unit that it is a whole number of.
func (w *Encoder) time(t int64) {
	step := t - w.lastTime
	w.lastTime = t
	switch {
	case step%1e6 == 0:
		w.times = binary.AppendVarint(w.times, step/1e6*3)
	case step%1e3 == 0:
		w.times = binary.AppendVarint(w.times, step/1e3*3+1)
	default:
		w.times = binary.AppendVarint(w.times, step*3+2)
	}
}

// Close returns the block and starts the next one. The result is the caller's.
func (w *Encoder) Close() []byte {
	raw := append(w.raw[:0], version)
	raw = binary.AppendUvarint(raw, uint64(w.messages))
	raw = binary.AppendUvarint(raw, uint64(len(w.patterns)))
	for _, col := range [][]byte{w.table, w.counts, w.heads, w.times, w.pids, w.lines, w.offsets, w.ids} {
		raw = binary.AppendUvarint(raw, uint64(len(col)))
		raw = append(raw, col...)
	}
	for k := range w.values {
		if len(w.values[k]) == 0 {
			continue
		}
		raw = append(raw, byte(k))
		raw = binary.AppendUvarint(raw, uint64(len(w.values[k])))
		raw = append(raw, w.values[k]...)
	}
	out := w.zw.EncodeAll(raw, make([]byte, 0, len(raw)/4+64))
	w.raw = raw
	w.clear()
	return out
}

func (w *Encoder) clear() {
	clear(w.patterns)
	w.table, w.counts, w.heads, w.times = w.table[:0], w.counts[:0], w.heads[:0], w.times[:0]
	w.pids, w.lines, w.offsets, w.ids = w.pids[:0], w.lines[:0], w.offsets[:0], w.ids[:0]
	for k := range w.values {
		w.values[k] = w.values[k][:0]
	}
	w.last = places{}
	w.messages, w.lastTime, w.lastMID, w.lastICID = 0, 0, 0, 0
}
