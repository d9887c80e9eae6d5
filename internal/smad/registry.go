package smad

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"waybill/internal/safefs"
)

const (
	registryName = "gateways.json"
	lockName     = ".gateways.lock"
	maxRegistry  = 16 << 20
	// lockStale is the age of a lock whose owner must have died; lockWait is how
	// long a change waits for another one.
	lockStale = 10 * time.Second
	lockWait  = 15 * time.Second
	lockPoll  = 20 * time.Millisecond
)

// Registry is the list of gateways, smad/gateways.json. Any process may change
// it; the running service notices within a second.
type Registry struct {
	FS  safefs.FS
	Now func() time.Time // nil: time.Now
}

// file is the form on disk.
type registryFile struct {
	Gateways []Gateway `json:"gateways"`
}

// UnknownError says that there is no gateway of that name.
type UnknownError struct {
	Name string
	Have []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no gateway %q", e.Name) }

// Hint says which there are.
func (e *UnknownError) Hint() string {
	if len(e.Have) == 0 {
		return "waybill gateways add NAME ADDRESS"
	}
	return "waybill gateways list; there are " + strings.Join(e.Have, ", ")
}

// TakenError says that a name or an address is in use.
type TakenError struct{ What, Value, By string }

func (e *TakenError) Error() string {
	if e.What == "name" {
		return fmt.Sprintf("there is a gateway %s already", e.Value)
	}
	return fmt.Sprintf("%s %s is that of gateway %s already", e.What, e.Value, e.By)
}

// Hint says how to go on.
func (e *TakenError) Hint() string { return "waybill gateways show " + e.By }

// List returns the gateways by name.
func (r *Registry) List() ([]Gateway, error) {
	raw, err := r.read()
	if err != nil {
		return nil, err
	}
	return parseRegistry(raw)
}

// Get returns one gateway, or an *UnknownError.
func (r *Registry) Get(name string) (Gateway, error) {
	list, err := r.List()
	if err != nil {
		return Gateway{}, err
	}
	i := index(list, name)
	if i < 0 {
		return Gateway{}, unknown(list, name)
	}
	return list[i], nil
}

// read returns the file as it is, nil when there is none.
func (r *Registry) read() ([]byte, error) {
	f, err := r.FS.Open(path.Join(Dir, registryName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of gateways: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRegistry))
	if err != nil {
		return nil, fmt.Errorf("read the list of gateways: %w", err)
	}
	return raw, nil
}

func parseRegistry(raw []byte) ([]Gateway, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var file registryFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", Dir, registryName, err)
	}
	for i := range file.Gateways {
		g := &file.Gateways[i]
		if err := g.normal(); err != nil {
			return nil, fmt.Errorf("%s/%s: gateway %q: %w", Dir, registryName, g.Name, err)
		}
		if index(file.Gateways[:i], g.Name) >= 0 {
			return nil, fmt.Errorf("%s/%s: gateway %s is there twice", Dir, registryName, g.Name)
		}
	}
	slices.SortFunc(file.Gateways, func(a, b Gateway) int { return strings.Compare(a.Name, b.Name) })
	return file.Gateways, nil
}

func index(list []Gateway, name string) int {
	return slices.IndexFunc(list, func(g Gateway) bool { return g.Name == name })
}

func unknown(list []Gateway, name string) error {
	e := &UnknownError{Name: name}
	for _, g := range list {
		e.Have = append(e.Have, g.Name)
	}
	return e
}

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Add adds a gateway. Without a pinned host key, and unless it is a legacy one,
// it gets a token with which it can be joined; the entry as it was written is
// returned.
func (r *Registry) Add(g Gateway) (Gateway, error) {
	if err := g.normal(); err != nil {
		return g, err
	}
	g.Added = r.now().UTC().Truncate(time.Second)
	if g.HostKey == "" && g.Mode != Legacy {
		r.arm(&g)
	}
	err := r.change(func(list []Gateway) ([]Gateway, error) {
		for _, have := range list {
			if have.Name == g.Name {
				return nil, &TakenError{"name", g.Name, have.Name}
			}
			if have.Address == g.Address && have.user() == g.user() && have.directory() == g.directory() {
				return nil, &TakenError{"address", g.Address, have.Name}
			}
		}
		return append(list, g), nil
	})
	return g, err
}

// arm gives a gateway a new token.
func (r *Registry) arm(g *Gateway) {
	until := r.now().Add(TokenLife).UTC().Truncate(time.Second)
	g.Token, g.Expires = rand.Text(), &until
}

// Ensure adds a gateway, or gives the one of that name what the configuration
// says. What was learned, the host key and the token, stays.
func (r *Registry) Ensure(g Gateway) error {
	if err := g.normal(); err != nil {
		return err
	}
	list, err := r.List()
	if err != nil {
		return err
	}
	if index(list, g.Name) < 0 {
		_, err := r.Add(g)
		return err
	}
	_, err = r.Update(g.Name, func(have *Gateway) {
		have.Address, have.User, have.Directory = g.Address, g.User, g.Directory
		have.Order, have.InFlight, have.BytesPerSecond, have.MaxFile = g.Order, g.InFlight, g.BytesPerSecond, g.MaxFile
		if g.Mode != Auto {
			have.Mode = g.Mode
		}
		have.AcceptForeign = g.AcceptForeign && have.Mode == Legacy
		if g.HostKey != "" {
			have.HostKey = g.HostKey
		}
	})
	return err
}

// Pause stops pulling from a gateway.
func (r *Registry) Pause(name string) error {
	_, err := r.Update(name, func(g *Gateway) { g.Paused = true })
	return err
}

// Resume goes on with a gateway that was paused or is held. With hostKey it is
// pinned to that key from now on.
func (r *Registry) Resume(name, hostKey string) error {
	if hostKey != "" {
		if _, err := parsePin(hostKey); err != nil {
			return err
		}
	}
	_, err := r.Update(name, func(g *Gateway) {
		now := r.now().UTC()
		g.Paused, g.Resumed = false, &now
		if hostKey != "" {
			g.HostKey, g.Token, g.Expires = hostKey, "", nil
		}
	})
	return err
}

// Rearm forgets the host key of a gateway and gives it a new token: it must be
// joined again.
func (r *Registry) Rearm(name string) (Gateway, error) {
	return r.Update(name, func(g *Gateway) {
		g.HostKey = ""
		r.arm(g)
	})
}

// Remove takes a gateway out. Its files and its journal stay.
func (r *Registry) Remove(name string) error {
	return r.change(func(list []Gateway) ([]Gateway, error) {
		i := index(list, name)
		if i < 0 {
			return nil, unknown(list, name)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// Update changes one entry and returns it as it was written.
func (r *Registry) Update(name string, change func(*Gateway)) (Gateway, error) {
	var out Gateway
	err := r.change(func(list []Gateway) ([]Gateway, error) {
		i := index(list, name)
		if i < 0 {
			return nil, unknown(list, name)
		}
		change(&list[i])
		if err := list[i].normal(); err != nil {
			return nil, err
		}
		out = list[i]
		return list, nil
	})
	return out, err
}

// change reads, changes and replaces the file, one process at a time. The file
// holds tokens, so nobody else may read it.
func (r *Registry) change(change func([]Gateway) ([]Gateway, error)) error {
	if err := r.FS.MkdirAll(Dir); err != nil {
		return fmt.Errorf("change the list of gateways: %w", err)
	}
	unlock, err := r.lock()
	if err != nil {
		return fmt.Errorf("change the list of gateways: %w", err)
	}
	defer unlock()
	raw, err := r.read()
	if err != nil {
		return err
	}
	list, err := parseRegistry(raw)
	if err != nil {
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(registryFile{list}); err != nil {
		return err
	}
	if bytes.Equal(b.Bytes(), raw) {
		return nil
	}
	return r.replace(b.Bytes())
}

func (r *Registry) replace(content []byte) error {
	temp := path.Join(Dir, "."+registryName+"."+rand.Text()[:8]+".tmp")
	f, err := r.FS.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretPerm)
	if err != nil {
		return fmt.Errorf("write the list of gateways: %w", err)
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = r.FS.Rename(temp, path.Join(Dir, registryName))
	}
	if err != nil {
		_ = r.FS.Remove(temp) // the first error counts
		return fmt.Errorf("write the list of gateways: %w", err)
	}
	return r.FS.SyncDir(Dir)
}

// lock takes the lock file. A lock that is older than any change takes was left
// by a process that died.
func (r *Registry) lock() (unlock func(), err error) {
	name := path.Join(Dir, lockName)
	deadline := time.Now().Add(lockWait)
	for {
		f, err := r.FS.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretPerm)
		if err == nil {
			return func() { _ = r.FS.Remove(name) }, f.Close() // a lock that stays is stale in seconds
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		info, err := r.FS.Stat(name)
		if err == nil && time.Since(info.ModTime()) > lockStale {
			if err := r.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is held by another process", name)
		}
		time.Sleep(lockPoll)
	}
}
