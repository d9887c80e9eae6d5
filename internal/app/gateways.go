package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs"
	"waybill/internal/smad"
)

// Where a manager publishes what it knows of itself.
const (
	statusDir     = "status"
	managerStatus = "manager.json"
	// maxStatus bounds a status file.
	maxStatus = 64 << 20
	// statusFresh is the age up to which a status is that of a running service.
	statusFresh = 15 * time.Second
)

// ManagerStatus is status/manager.json.
type ManagerStatus struct {
	Time time.Time    `json:"time"`
	Smad *smad.Status `json:"smad,omitempty"`
}

// PublishManager replaces status/manager.json.
func PublishManager(fsys safefs.FS, s ManagerStatus) error {
	if err := fsys.MkdirAll(statusDir); err != nil {
		return fmt.Errorf("publish the manager's status: %w", err)
	}
	return safefs.Replace(fsys, statusDir, managerStatus, func(w io.Writer) error { return json.NewEncoder(w).Encode(s) })
}

// ReadManager reads status/manager.json; nil when no manager has run here.
func ReadManager(fsys safefs.FS) (*ManagerStatus, error) {
	f, err := fsys.Open(path.Join(statusDir, managerStatus))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manager's status: %w", err)
	}
	defer f.Close()
	var s ManagerStatus
	if err := json.NewDecoder(io.LimitReader(f, maxStatus)).Decode(&s); err != nil {
		return nil, fmt.Errorf("read the manager's status: %w", err)
	}
	return &s, nil
}

// Gateways is the list of gateways of a data directory, with what the running
// manager says of them. It needs no running manager.
type Gateways struct {
	dir  string
	root *safefs.Root
	reg  *smad.Registry
	now  func() time.Time
}

// OpenGateways opens the list of a data directory. With make the directory is
// made where it is missing.
func OpenGateways(data string, now func() time.Time, makeDir bool) (*Gateways, error) {
	if makeDir {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, &DirError{Err: fmt.Errorf("make the data directory: %w", err)}
		}
	}
	root, err := safefs.OpenRoot(data)
	if err != nil {
		return nil, &DirError{Err: fmt.Errorf("open the data directory: %w", err)}
	}
	return &Gateways{dir: data, root: root, reg: &smad.Registry{FS: root, Now: now}, now: now}, nil
}

// Close ends the use of the list. As root it gives what was made to the owner
// of the data directory, as whom the service runs.
func (g *Gateways) Close() error { return errors.Join(g.giveBack(), g.root.Close()) }

// Registry is the list itself.
func (g *Gateways) Registry() *smad.Registry { return g.reg }

// GatewayInfo is a gateway as it is configured and as it does. It holds no
// secret.
type GatewayInfo struct {
	smad.Gateway
	Token       string `json:"token,omitempty"` // shadows the secret
	Fingerprint string `json:"fingerprint,omitempty"`
	Enrolling   bool   `json:"enrolling,omitempty"`
	// Status is what the manager said last, nil when it said nothing; Running
	// whether it still runs.
	Status  *smad.GatewayStatus `json:"status,omitempty"`
	Running bool                `json:"running"`
}

// List tells of all gateways, by name.
func (g *Gateways) List() ([]GatewayInfo, error) {
	list, err := g.reg.List()
	if err != nil {
		return nil, err
	}
	status, err := ReadManager(g.root)
	if err != nil {
		return nil, err
	}
	out := make([]GatewayInfo, 0, len(list))
	for _, one := range list {
		info := GatewayInfo{Gateway: one, Fingerprint: one.Fingerprint(), Enrolling: one.Enrolling(g.now())}
		info.Gateway.Token = ""
		if status != nil && status.Smad != nil {
			info.Running = g.now().Sub(status.Time) < statusFresh
			for i := range status.Smad.Gateways {
				if s := &status.Smad.Gateways[i]; s.Name == one.Name {
					info.Status = s
				}
			}
		}
		out = append(out, info)
	}
	return out, nil
}

// Show tells of one gateway, or returns a *smad.UnknownError.
func (g *Gateways) Show(name string) (GatewayInfo, error) {
	if _, err := g.reg.Get(name); err != nil {
		return GatewayInfo{}, err
	}
	list, err := g.List()
	if err != nil {
		return GatewayInfo{}, err
	}
	for _, info := range list {
		if info.Name == name {
			return info, nil
		}
	}
	return GatewayInfo{}, &smad.UnknownError{Name: name}
}

// Key returns the manager's public key as a line of authorized_keys, and its
// fingerprint. The key is made when there is none.
func (g *Gateways) Key() (line, fingerprint string, err error) {
	key, err := smad.Key(g.root)
	if err != nil {
		return "", "", err
	}
	return smad.PublicLine(key.PublicKey()), ssh.FingerprintSHA256(key.PublicKey()), nil
}

// Test tries a gateway as the service would; see smad.Test.
func (g *Gateways) Test(ctx context.Context, name string) (*smad.Probe, error) {
	one, err := g.reg.Get(name)
	if err != nil {
		return nil, err
	}
	return smad.Test(ctx, smad.Options{FS: g.root, Now: g.now}, one)
}

// giveBack makes what root made in smad/ the property of the owner of the data
// directory; nobody else could read it.
func (g *Gateways) giveBack() error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(g.dir)
	if err != nil {
		return err
	}
	uid, gid, ok := owner(info)
	if !ok || uid == 0 {
		return nil
	}
	root, err := os.OpenRoot(g.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), smad.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	errs := []error{root.Lchown(smad.Dir, uid, gid)}
	for _, e := range entries {
		if e.Type().IsRegular() {
			if err := root.Lchown(path.Join(smad.Dir, e.Name()), uid, gid); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
