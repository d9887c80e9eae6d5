package qlogd

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"waybill/internal/source"
	"waybill/internal/window"
)

// report makes known how it stands.
func (r *run) report() {
	var sources []SourceStatus
	for _, in := range r.inputs {
		for _, l := range in.src.Logs() {
			lr := in.log(l.Log)
			s := SourceStatus{Path: l.Log, Readable: l.Watched, Volatile: in.src.Volatile(), Behind: l.Behind, Dropped: l.Dropped,
				Lines: lr.count.lines, Parsed: lr.count.parsed, Unknown: lr.count.unknown, Samples: lr.count.samples, Last: lr.count.last}
			s.Error, s.Hint = explained(l.Err)
			if lr.cur != nil {
				s.Position = lr.cur.part.To
			}
			sources = append(sources, s)
		}
	}
	count := r.mono() - r.spooled
	spool, counted := SpoolStatus{}, false
	if r.spooled == 0 || count >= spoolEvery {
		r.spooled = r.mono()
		spool, counted = r.spool(), true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.status
	st.Time, st.Sources, st.Error = r.o.Now(), sources, ""
	st.Epoch, st.Window.Sequence, st.Window.From, st.Window.Events = r.st.Next.Epoch, r.st.Next.Sequence, r.cut.from, 0
	if r.w != nil {
		st.Window.Events = r.w.Events()
	}
	st.Written += r.lines
	st.Events += r.appended
	st.LeftOut += r.leftOut
	r.lines, r.appended, r.leftOut = 0, 0, 0
	if counted {
		st.Spool = spool
	}
}

// explained parts an error of a source from the command that mends it.
func explained(err error) (text, hint string) {
	if err == nil {
		return "", ""
	}
	var e *source.Error
	switch {
	case !errors.As(err, &e):
		return err.Error(), ""
	case e.Hint == "" && errors.Is(err, fs.ErrNotExist):
		return err.Error(), "ls -l " + filepath.Dir(e.Path) + "; what appears there later is read from its beginning, another path goes into gateway.sources"
	case e.Hint == "":
		return err.Error(), ""
	}
	return strings.ReplaceAll(err.Error(), " ("+e.Hint+")", ""), e.Hint
}

// spool counts the windows that lie where they were sealed.
func (r *run) spool() SpoolStatus {
	s := SpoolStatus{Time: r.o.Now()}
	entries, err := r.o.FS.ReadDir(r.o.Dir)
	if err != nil {
		r.log.Warn("Cannot count the windows", "path", r.o.Dir, "err", err)
		return s
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if _, err := window.ParseName(e.Name()); err != nil {
			continue
		}
		if info, err := e.Info(); err == nil { // else it went a moment ago
			s.Files++
			s.Bytes += info.Size()
		}
	}
	return s
}
