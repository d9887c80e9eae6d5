package oracle

import (
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/store"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
)

// tempDir is in memory where the system has such a place: what is tested here
// is not the disk.
func tempDir(t interface{ Fatal(...any) }) string {
	base := "/dev/shm"
	if i, err := os.Stat(base); err != nil || !i.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "waybill-oracle-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func clock() time.Time { return time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC) }

var quiet = slog.New(slog.DiscardHandler)

// take imports files into a data directory as the command does.
func take(ctx context.Context, data, gateway string, files ...string) error {
	im, err := app.OpenImporter(ctx, data, config.Default(), quiet, clock)
	if err != nil {
		return err
	}
	rep, err := im.Import(ctx, app.ImportOptions{Gateway: gateway, Zone: time.UTC}, files)
	if err == nil && rep.Failed() {
		err = fmt.Errorf("%+v", rep.Files)
	}
	if cerr := im.Close(); err == nil {
		err = cerr
	}
	return err
}

// write makes a log file that was last written at a time.
func write(path string, content []byte, at time.Time) error {
	var err error
	if strings.HasSuffix(path, ".gz") {
		f, cerr := os.Create(path)
		if cerr != nil {
			return cerr
		}
		z := gzip.NewWriter(f)
		_, err = z.Write(content)
		if e := z.Close(); err == nil {
			err = e
		}
		if e := f.Close(); err == nil {
			err = e
		}
	} else {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}

// held is what a store holds.
type held struct {
	messages []*track.Message
	names    map[string]string // by id
}

// look reads every message with its relations out of a store.
func look(ctx context.Context, data string) (*held, error) {
	db, err := sqlite.Open(ctx, data, sqlite.Options{ReadOnly: true, Log: quiet, Now: clock})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	names := map[string]string{}
	var all []*track.Message
	for m, err := range db.Search(ctx, &store.Query{Rejections: true}) {
		if err != nil {
			return nil, err
		}
		names[m.ID] = nameOf(m)
		full, err := db.Message(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, full)
	}
	return &held{all, names}, nil
}

// views are all messages as text, sorted. mask tells by name what to leave out.
func (h *held) views(mask func(name string) Mask) []string {
	var out []string
	for _, m := range h.messages {
		out = append(out, storeView(m, h.names, mask(h.names[m.ID])))
	}
	sort.Strings(out)
	return out
}

func storeView(m *track.Message, names map[string]string, mask Mask) string {
	name := func(r *track.Relative) string {
		if r.ID == "" {
			return "?/" + r.QueueID
		}
		if n, ok := names[r.ID]; ok {
			return n
		}
		return "lost " + r.ID
	}
	var parent string
	var children []string
	if m.Parent != nil {
		parent = m.Parent.Relation.String() + " " + name(m.Parent)
	}
	for i := range m.Children {
		children = append(children, m.Children[i].Relation.String()+" "+name(&m.Children[i]))
	}
	slices.Sort(children)
	next := make([]string, len(m.Recipients))
	for i := range m.Recipients {
		if n := m.Recipients[i].Next; n != nil {
			next[i] = name(n)
		}
	}
	return view(nameOf(m), m, parent, children, next, mask)
}

// want are the views of what the oracle knows.
func want(ms []*Message, mask func(name string) Mask) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.View(mask(m.Name)))
	}
	sort.Strings(out)
	return out
}

// difference says in which messages two lists differ, "" when in none.
func difference(want, got []string) string {
	var b strings.Builder
	n := 0
	say := func(sign, s string) {
		if n++; n <= 8 {
			fmt.Fprintf(&b, "%s %s", sign, s)
		}
	}
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch {
		case j == len(got) || i < len(want) && want[i] < got[j]:
			say("-", want[i])
			i++
		case i == len(want) || got[j] < want[i]:
			say("+", got[j])
			j++
		default:
			i, j = i+1, j+1
		}
	}
	if n > 0 {
		fmt.Fprintf(&b, "%d differences of %d messages", n, len(want))
	}
	return b.String()
}
