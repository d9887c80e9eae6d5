package oplog

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"waybill/internal/safefs"
	"waybill/internal/safetext"
)

// maxText is how many bytes of a record's text are written.
const maxText = 8 << 10

// Handler returns what takes the records at or above min; nil is Info. The text
// of a line is the message. Attributes, which the documented lines do not have,
// follow as " key=value".
func (l *Log) Handler(min slog.Leveler) slog.Handler {
	if min == nil {
		min = slog.LevelInfo
	}
	return &handler{log: l, min: min}
}

// handler is a slog.Handler over a Log.
type handler struct {
	log    *Log
	min    slog.Leveler
	prefix string // of groups: "a.b."
	attrs  string // already written out
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.min.Level() }

// Handle never fails: see Log.Status.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	at := r.Time.In(h.log.o.Location)
	if h.log.o.Now != nil || r.Time.IsZero() {
		at = h.log.now()
	}
	text := r.Message
	if h.attrs != "" || r.NumAttrs() > 0 {
		var b strings.Builder
		b.WriteString(text)
		b.WriteString(h.attrs)
		r.Attrs(func(a slog.Attr) bool {
			appendAttr(&b, h.prefix, a)
			return b.Len() < maxText
		})
		text = b.String()
	}
	h.log.write(at, levelWord(r.Level), safe(text))
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		appendAttr(&b, h.prefix, a)
	}
	c.attrs = b.String()
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

func appendAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			appendAttr(b, prefix, g)
		}
		return
	}
	if a.Key == "" {
		return
	}
	s := v.String()
	if s == "" || strings.ContainsAny(s, " \"=") {
		s = strconv.Quote(s)
	}
	b.WriteString(" " + prefix + a.Key + "=" + s)
}

// levelWord is what AsyncOS calls a level.
func levelWord(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "Critical"
	case level >= slog.LevelWarn:
		return "Warning"
	case level >= slog.LevelInfo:
		return "Info"
	case level >= slog.LevelDebug:
		return "Debug"
	}
	return "Trace"
}

// safe makes text one line that says nothing to a terminal.
func safe(text string) string {
	if len(text) > maxText {
		n := maxText
		for n > maxText-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "..."
	}
	return safetext.Of(text).String()
}

func reason(err error) string {
	if err == nil {
		return "unknown"
	}
	return safe(err.Error())
}

// format is a whole line.
func format(at time.Time, level, text string) string {
	return at.Format(time.ANSIC) + " " + level + ": " + text + "\n"
}

// mend makes a file end with a whole line and returns its size. After a power
// failure it may end in zeros, after a full disk in half a line.
func mend(f safefs.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	end, last := size, byte('\n')
	buf := make([]byte, 4<<10)
	for end > 0 {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		at := n
		for at > 0 && buf[at-1] == 0 {
			at--
		}
		end -= n - at
		if at > 0 {
			last = buf[at-1]
			break
		}
	}
	if end < size {
		if err := f.Truncate(end); err != nil {
			return 0, err
		}
	}
	if last == '\n' {
		return end, nil
	}
	n, err := f.Write([]byte("\n"))
	return end + int64(n), err
}
