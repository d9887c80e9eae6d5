package export

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Admin changes who collects. It works on files alone, whether the services run
// or not; they notice within a second. Two administrators at once do not undo
// each other's work: the second is told to try again.
type Admin struct {
	options  Options
	registry registryFile
	views    views
}

// ErrBusy: somebody else changed the collectors meanwhile.
var ErrBusy = errors.New("the collectors were changed by somebody else at the same time; try again")

// ErrInvalid: a collector cannot be like that.
var ErrInvalid = errors.New("not accepted")

// NoCollectorError says that there is no such collector.
type NoCollectorError struct {
	What string
	Have []string // names
}

func (e *NoCollectorError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("there is no collector %q, and no other", e.What)
	}
	return fmt.Sprintf("there is no collector %q; there are %s", e.What, strings.Join(e.Have, ", "))
}

// OpenAdmin reads the collectors.
func OpenAdmin(o Options) (*Admin, error) {
	a := &Admin{options: o.withDefaults()}
	return a, a.read()
}

func (a *Admin) read() error {
	o := &a.options
	a.registry = registryFile{fs: o.FS, dir: o.State}
	if _, err := a.registry.read(); err != nil {
		return err
	}
	a.views.reset()
	f := follower{fs: o.FS, dir: o.journalDir(frontJournal), state: &a.views}
	_, err := f.follow(false)
	return errors.Join(err, f.close())
}

func (a *Admin) roster() roster {
	return newRoster(a.registry.known, &a.views, a.options.StaleAfter, a.options.now())
}

// List are all collectors, the oldest first.
func (a *Admin) List() []Collector { return a.roster() }

// Sharing is the alert about a pending collector, in one line.
func (a *Admin) Sharing(c Collector) string { return a.roster().sharing(&c) }

// write replaces the registry by a changed one.
func (a *Admin) write(change func(*registry) error) error {
	g := *a.registry.known
	g.Collectors = slices.Clone(g.Collectors)
	g.Removed = slices.Clone(g.Removed)
	if err := change(&g); err != nil {
		return err
	}
	if len(g.Collectors) > maxCollectors {
		return fmt.Errorf("there are %d collectors already", maxCollectors)
	}
	for i := range g.Collectors {
		if err := g.check(i); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if changed, err := a.registry.read(); err != nil {
		return err
	} else if changed {
		return ErrBusy
	}
	o := &a.options
	if err := o.FS.MkdirAll(o.State); err != nil {
		return fmt.Errorf("make the directory of the export: %w", err)
	}
	if err := writeFile(o.FS, o.State, registryName, &g); err != nil {
		return fmt.Errorf("write the collectors: %w", err)
	}
	return a.read()
}

// Add registers a collector. With addresses its key may come from these alone;
// without, it is at home where it comes from first.
func (a *Admin) Add(key string, from []netip.Addr, role Role, name string) (Collector, error) {
	c := registration{ID: newID(), Name: name, Key: key, Role: role, Created: a.options.now()}
	for _, addr := range from {
		if addr = cleanAddr(addr); !slices.Contains(c.Pinned, addr) {
			c.Pinned = append(c.Pinned, addr)
		}
	}
	for _, other := range a.roster() {
		if other.Name == name {
			return Collector{}, fmt.Errorf("the name %q: %w", name, fs.ErrExist)
		}
		if other.Fingerprint != key || other.Role == PendingRole {
			continue
		}
		if len(c.Pinned) == 0 && len(other.Pinned) == 0 && !other.Address.IsValid() {
			return Collector{}, fmt.Errorf("the key, as %q, which may come from anywhere: %w", other.Name, fs.ErrExist)
		}
		for _, addr := range c.Pinned {
			if other.covers(addr) {
				return Collector{}, fmt.Errorf("the key from %s, as %q: %w", addr, other.Name, fs.ErrExist)
			}
		}
	}
	err := a.write(func(g *registry) error {
		g.Collectors = append(g.Collectors, c)
		return nil
	})
	if err != nil {
		return Collector{}, err
	}
	return *a.roster().find(c.ID), nil
}

// Find finds a collector by its id or name.
func (a *Admin) Find(what string) (Collector, error) {
	all := a.roster()
	var have []string
	for _, c := range all {
		if c.ID == what || c.Name == what {
			return c, nil
		}
		have = append(have, c.Name)
	}
	return Collector{}, &NoCollectorError{what, have}
}

// Approve makes a pending collector one of the role. One that is approved
// already is left alone, unless its role is another.
func (a *Admin) Approve(what string, role Role) (Collector, error) {
	c, err := a.Find(what)
	if err != nil {
		return Collector{}, err
	}
	err = a.write(func(g *registry) error {
		if r := g.find(c.ID); r != nil {
			r.Role = role
			return nil
		}
		g.Collectors = append(g.Collectors, registration{ID: c.ID, Name: c.Name, Key: c.Fingerprint, Role: role,
			Address: c.Address, Instance: c.Instance, Created: c.Created})
		return nil
	})
	if err != nil {
		return Collector{}, err
	}
	return a.Find(c.ID)
}

// maxRemoved bounds the ids of removed collectors that are remembered; the
// front forgets them when it reads of them.
const maxRemoved = 1000

// Remove takes a collector away, with all that it received and acknowledged. Its
// key is unknown from then on, unless another collector has it, too.
func (a *Admin) Remove(what string) (Collector, error) {
	c, err := a.Find(what)
	if err != nil {
		return Collector{}, err
	}
	return c, a.write(func(g *registry) error {
		g.Collectors = slices.DeleteFunc(g.Collectors, func(r registration) bool { return r.ID == c.ID })
		g.Removed = append(g.Removed, c.ID)
		g.Removed = g.Removed[max(0, len(g.Removed)-maxRemoved):]
		return nil
	})
}

// Arm opens the export for the enrolment of one new key that proves to know the
// token, for a time and five tries. It replaces what was armed before.
func (a *Admin) Arm(token string, within time.Duration) (expires time.Time, err error) {
	if !tokenForm.MatchString(token) {
		return time.Time{}, ErrToken
	}
	o := &a.options
	t := armed{Token: token, Nonce: rand.Text(), Created: o.now()}
	t.Expires = t.Created.Add(within)
	if err := o.FS.MkdirAll(o.State); err != nil {
		return time.Time{}, fmt.Errorf("make the directory of the export: %w", err)
	}
	if err := writeFile(o.FS, o.State, joinName, &t); err != nil {
		return time.Time{}, fmt.Errorf("arm the enrolment: %w", err)
	}
	return t.Expires, nil
}

// ErrToken: what was given is no token.
var ErrToken = errors.New("not a token: 16 to 256 characters without spaces")
