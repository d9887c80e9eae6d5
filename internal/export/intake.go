package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/window"
)

// Intake brings windows into the export that were sealed in directories of their
// own, one for each gateway: several gateways share an export, where a name must
// never repeat, and none of them knows the names of the others.
//
// A window whose name was given before, to whichever gateway, is moved by
// seconds, as the format allows. What was given is written down before a file
// gets the name, so that neither a crash nor a clock that is set makes one twice.
type Intake struct {
	fs     safefs.FS
	files  string // directory of the export
	state  string // directory of the names
	sealed func(window.Sealed) error

	mu    sync.Mutex
	names intakeState
}

// intakeState is what is written down.
type intakeState struct {
	Version int `json:"version"`
	// Floor is the second before which every name counts as given.
	Floor int64   `json:"floor"`
	Given []given `json:"given,omitempty"`
	// Moving are the files that were being moved, by path, with their names.
	Moving map[string]string `json:"moving,omitempty"`
}

// given is a row of names: intervals of one length that follow each other.
type given struct {
	From   int64 `json:"f"` // seconds
	Length int64 `json:"l"`
	Count  int64 `json:"n"`
}

func (g *given) end() int64 { return g.From + g.Length*g.Count }

const (
	intakeFile    = "names.json"
	intakeVersion = 1
	maxIntake     = 16 << 20
	// maxGiven bounds the rows; of those that are forgotten the floor stays.
	maxGiven = 4000
	// maxTake bounds the files that get their names together.
	maxTake = 500
)

// OpenIntake reads which names were given. sealed is told of each file that is
// in the export, as Keeper.Sealed wants it.
func OpenIntake(fsys safefs.FS, files, state string, sealed func(window.Sealed) error) (*Intake, error) {
	in := &Intake{fs: fsys, files: files, state: state, sealed: sealed}
	fail := func(err error) (*Intake, error) { return nil, fmt.Errorf("open the names of the export: %w", err) }
	for _, dir := range []string{files, state} {
		if err := fsys.MkdirAll(dir); err != nil {
			return fail(err)
		}
	}
	if err := safefs.RemoveTemps(fsys, state); err != nil {
		return fail(err)
	}
	if err := in.read(); err != nil {
		return fail(err)
	}
	// A file that is not there any more has its name, and its path may come again.
	for from := range in.names.Moving {
		switch _, err := fsys.Stat(from); {
		case errors.Is(err, fs.ErrNotExist):
			delete(in.names.Moving, from)
		case err != nil:
			return fail(err)
		}
	}
	return in, nil
}

func (in *Intake) read() error {
	in.names = intakeState{Version: intakeVersion, Moving: map[string]string{}}
	f, err := in.fs.Open(path.Join(in.state, intakeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxIntake)).Decode(&in.names); err != nil {
		return fmt.Errorf("%s: %w", path.Join(in.state, intakeFile), err)
	}
	if in.names.Version != intakeVersion {
		return fmt.Errorf("%s is of version %d", path.Join(in.state, intakeFile), in.names.Version)
	}
	if in.names.Moving == nil {
		in.names.Moving = map[string]string{}
	}
	return nil
}

// Take moves every sealed window of a directory into the export. It may be done
// again after any failure. digests tells what is known of a file by its name in
// the directory; nil: nothing is.
func (in *Intake) Take(dir string, digests func(name string) [32]byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		more, err := in.take(dir, digests)
		if err != nil {
			return fmt.Errorf("bring windows into the export: %w", err)
		}
		if !more {
			return nil
		}
	}
}

func (in *Intake) take(dir string, digests func(string) [32]byte) (more bool, err error) {
	entries, err := in.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var names []string
	for _, e := range entries {
		if exported(e.Name()) && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	for from := range in.names.Moving { // its path may come again
		if path.Dir(from) == dir && !slices.Contains(names, path.Base(from)) {
			delete(in.names.Moving, from)
		}
	}
	if len(names) == 0 {
		return false, nil
	}
	if more = len(names) > maxTake; more {
		names = names[:maxTake]
	}
	if err := in.give(dir, names); err != nil {
		return false, err
	}
	for _, name := range names {
		from := path.Join(dir, name)
		if err := in.link(from, path.Join(in.files, in.names.Moving[from])); err != nil {
			return false, err
		}
	}
	// The new names first: a crash between the two leaves both, which are one.
	if err := in.fs.SyncDir(in.files); err != nil {
		return false, err
	}
	moved := make([]window.Sealed, 0, len(names))
	for _, name := range names {
		from := path.Join(dir, name)
		to, err := window.ParseName(in.names.Moving[from])
		if err == nil {
			err = in.fs.Remove(from)
		}
		if err != nil {
			return false, err
		}
		delete(in.names.Moving, from)
		s := window.Sealed{Name: to, Path: path.Join(in.files, to.String())}
		if digests != nil {
			s.Digest = digests(name)
		}
		moved = append(moved, s)
	}
	if err := in.fs.SyncDir(dir); err != nil {
		return false, err
	}
	for _, s := range moved {
		if err := in.sealed(s); err != nil && !errors.Is(err, fs.ErrNotExist) { // collected and gone before
			return false, err
		}
	}
	return more, nil
}

// link gives a file its name in the export. One that has it already had got it
// before a crash, or before something failed.
func (in *Intake) link(from, to string) error {
	err := safefs.Link(in.fs, from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	was, err := in.fs.Stat(from)
	if err != nil {
		return err
	}
	is, err := in.fs.Stat(to)
	if err == nil && was.Size() != is.Size() {
		err = fmt.Errorf("%s is there, and is not %s", to, from)
	}
	return err
}

// give gives names to files that have none yet, durably.
func (in *Intake) give(dir string, names []string) error {
	fresh := false
	for _, name := range names {
		from := path.Join(dir, name)
		if in.names.Moving[from] != "" {
			continue
		}
		n, err := window.ParseName(name)
		if err != nil {
			return err
		}
		to, err := in.free(n)
		if err != nil {
			return err
		}
		in.names.add(to)
		in.names.Moving[from] = to.String()
		fresh = true
	}
	if !fresh {
		return nil
	}
	// What is in memory and not on disk stays given: that costs nothing.
	return safefs.Replace(in.fs, in.state, intakeFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(&in.names) })
}

// free is the first name from n on that no file had.
func (in *Intake) free(n window.Name) (window.Name, error) {
	shift := func(seconds int64) {
		d := time.Duration(seconds) * time.Second
		n.From, n.To = n.From.Add(d), n.To.Add(d)
	}
	if below := in.names.Floor - n.From.Unix(); below > 0 {
		shift(below)
	}
	for {
		if !in.names.has(n) {
			_, err := in.fs.Stat(path.Join(in.files, n.String()))
			if errors.Is(err, fs.ErrNotExist) {
				return n, nil
			}
			if err != nil {
				return n, err
			}
		}
		shift(1)
	}
}

// has reports whether the name was given. Those below the floor were.
func (s *intakeState) has(n window.Name) bool {
	from, length := n.From.Unix(), n.To.Unix()-n.From.Unix()
	for i := range s.Given {
		g := &s.Given[i]
		if g.Length == length && from >= g.From && from < g.end() && (from-g.From)%length == 0 {
			return true
		}
	}
	return from < s.Floor
}

// add writes a name down.
func (s *intakeState) add(n window.Name) {
	from, length := n.From.Unix(), n.To.Unix()-n.From.Unix()
	for i := len(s.Given) - 1; i >= 0; i-- {
		if g := &s.Given[i]; g.Length == length && g.end() == from {
			g.Count++
			return
		}
	}
	s.Given = append(s.Given, given{from, length, 1})
	if len(s.Given) <= maxGiven {
		return
	}
	oldest := 0
	for i := range s.Given {
		if s.Given[i].end() < s.Given[oldest].end() {
			oldest = i
		}
	}
	g := s.Given[oldest]
	s.Floor = max(s.Floor, g.end()-g.Length+1)
	s.Given = append(s.Given[:oldest], s.Given[oldest+1:]...)
}
