package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/export"
	"waybill/internal/safefs"
)

// Where the export is, below the data directory.
const (
	ExportFiles = "pub/export/tracking"
	ExportState = "export"
)

// ErrNoData says that there is no data directory.
var ErrNoData = errors.New("no data directory")

// Collectors administers who collects from this gateway. The services need not
// run, and notice changes within a second when they do.
type Collectors struct {
	*export.Admin
	dir  string
	root *safefs.Root
}

// OpenCollectors opens the collectors of a data directory. With create set it is
// made where it is missing, else that is ErrNoData.
func OpenCollectors(dir string, create bool, now func() time.Time) (*Collectors, error) {
	if create {
		if err := safefs.OS().MkdirAll(dir); err != nil {
			return nil, fmt.Errorf("make the data directory: %w", err)
		}
	}
	root, err := safefs.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoData)
	}
	if err != nil {
		return nil, err
	}
	admin, err := export.OpenAdmin(export.Options{FS: root, Files: ExportFiles, State: ExportState, Now: now})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Collectors{admin, dir, root}, nil
}

// Close ends the administration. What root wrote it hands to the owner of the
// data directory, for the services must read it.
func (c *Collectors) Close() error { return errors.Join(c.handOver(), c.root.Close()) }

func (c *Collectors) handOver() error {
	info, err := os.Stat(c.dir)
	if err != nil {
		return err
	}
	uid, gid, ok := owner(info)
	if !ok || os.Geteuid() != 0 || uid == 0 {
		return nil
	}
	root, err := os.OpenRoot(c.dir) // no link leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{ExportState, filepath.Join(ExportState, "collectors.json"), filepath.Join(ExportState, "join")} {
		if err := root.Lchown(name, uid, gid); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("hand over to the owner of the data directory: %w", err)
		}
	}
	return nil
}

// maxKeyFile bounds a file with a key.
const maxKeyFile = 64 << 10

// PrivateKeyError says that a private key was given where a public one is meant.
type PrivateKeyError struct{ Path string }

func (e *PrivateKeyError) Error() string { return e.Path + " is a private key" }

// Hint names the file that is meant.
func (e *PrivateKeyError) Hint() string {
	return "give the public key, " + e.Path + ".pub, and keep the private one on the manager"
}

// KeyFingerprint is the fingerprint of the one public key in a file, as OpenSSH
// prints it.
func KeyFingerprint(path string) (string, error) {
	text, err := readSmall(path, maxKeyFile)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return "", &PrivateKeyError{path}
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return "", fmt.Errorf("%s: no public key in the form of OpenSSH", path)
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey(rest); err == nil {
		return "", fmt.Errorf("%s: more than one key", path)
	}
	return ssh.FingerprintSHA256(key), nil
}

// readSmall reads a file up to a size.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, err
}

// maxTokenFile bounds a file with a token.
const maxTokenFile = 4 << 10

// ReadToken reads the token of an enrolment, and reports whether others than its
// owner may read the file, too.
func ReadToken(path string) (token string, open bool, err error) {
	text, err := readSmall(path, maxTokenFile)
	if err != nil {
		return "", false, fmt.Errorf("read the token: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", false, fmt.Errorf("read the token: %w", err)
	}
	return string(bytes.TrimSpace(text)), info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0, nil
}
