package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"waybill/internal/safefs"
)

const (
	registryName    = "collectors.json"
	registryVersion = 1
	maxRegistry     = 4 << 20
	maxCollectors   = 1000
	maxPerKey       = 64 // pending collectors with one key
	maxAddresses    = 64
)

// registration is a collector that an administrator decided on.
type registration struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Key      string       `json:"key"`
	Role     Role         `json:"role"`             // Required or Observer
	Pinned   []netip.Addr `json:"pinned,omitempty"` // it may come from these only
	Address  netip.Addr   `json:"address,omitzero"` // of one that was pending or enrolled
	Instance string       `json:"instance,omitempty"`
	Created  time.Time    `json:"created"`
}

// registry is collectors.json. Only the administration writes it.
type registry struct {
	Version    int            `json:"version"`
	Collectors []registration `json:"collectors"`
	// Removed are the IDs of collectors that are no longer: the front's journal
	// may still know them.
	Removed []string `json:"removed,omitempty"`
}

func (g *registry) removed(id string) bool { return slices.Contains(g.Removed, id) }

func (g *registry) find(id string) *registration {
	for i := range g.Collectors {
		if g.Collectors[i].ID == id {
			return &g.Collectors[i]
		}
	}
	return nil
}

var (
	idForm       = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$`)
	keyForm      = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)
	instanceForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

// cleanAddr is the address in the one form in which addresses are compared.
func cleanAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseRegistry reads collectors.json, strictly: a mistake of an editor must not
// lose a collector silently.
func parseRegistry(text []byte) (*registry, error) {
	g := &registry{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the end")
	}
	if g.Version != registryVersion {
		return nil, fmt.Errorf("version %d is not known to this program", g.Version)
	}
	if len(g.Collectors) > maxCollectors {
		return nil, fmt.Errorf("%d collectors, at most %d", len(g.Collectors), maxCollectors)
	}
	for i := range g.Collectors {
		if err := g.check(i); err != nil {
			return nil, fmt.Errorf("collector %d: %w", i+1, err)
		}
	}
	return g, nil
}

func (g *registry) check(i int) error {
	c := &g.Collectors[i]
	switch {
	case !idForm.MatchString(c.ID):
		return fmt.Errorf("%q is not an id", c.ID)
	case !nameForm.MatchString(c.Name):
		return fmt.Errorf("%q is not a name", c.Name)
	case !keyForm.MatchString(c.Key):
		return fmt.Errorf("%q is not the fingerprint of a key, SHA256 and 43 characters", c.Key)
	case c.Role != Required && c.Role != Observer:
		return fmt.Errorf("role %q: there are required and observer", c.Role)
	case c.Instance != "" && !instanceForm.MatchString(c.Instance):
		return ErrInstance
	case len(c.Pinned) > maxAddresses:
		return fmt.Errorf("%d addresses, at most %d", len(c.Pinned), maxAddresses)
	}
	for j, a := range c.Pinned {
		if c.Pinned[j] = cleanAddr(a); !a.IsValid() {
			return errors.New("an address is missing")
		}
	}
	c.Address = cleanAddr(c.Address)
	for _, other := range g.Collectors[:i] {
		if other.ID == c.ID || other.Name == c.Name {
			return fmt.Errorf("there are two with the id %q or the name %q", c.ID, c.Name)
		}
	}
	if g.removed(c.ID) {
		return fmt.Errorf("%q is said to be removed, too", c.ID)
	}
	return nil
}

// registryFile is collectors.json as this process knows it.
type registryFile struct {
	fs    safefs.FS
	dir   string
	text  []byte
	known *registry
}

// read looks whether the file changed. When it cannot be read or has a mistake
// the old one stays in force.
func (r *registryFile) read() (changed bool, err error) {
	path := filepath.Join(r.dir, registryName)
	text, err := readFile(r.fs, path, maxRegistry)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = nil
	case err != nil:
		return false, err
	}
	if r.known != nil && bytes.Equal(text, r.text) {
		return false, nil
	}
	g := &registry{Version: registryVersion}
	if text != nil {
		if g, err = parseRegistry(text); err != nil {
			return false, &RegistryError{Path: path, Err: err}
		}
	}
	r.text, r.known = text, g
	return true, nil
}

// RegistryError is a mistake in collectors.json.
type RegistryError struct {
	Path string
	Err  error
}

func (e *RegistryError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *RegistryError) Unwrap() error { return e.Err }

// Hint says what an operator can do.
func (e *RegistryError) Hint() string {
	return "mend " + e.Path + ", or move it away and register the collectors again: waybill collectors add"
}

// readFile reads a small file whole.
func readFile(fsys safefs.FS, path string, limit int64) (_ []byte, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, err
}

// writeFile replaces a small file of JSON.
func writeFile(fsys safefs.FS, dir, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return safefs.Replace(fsys, dir, name, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}
