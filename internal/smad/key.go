package smad

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs"
)

// Where smad keeps its own things in the data directory.
const (
	Dir          = "smad"
	keyName      = "id_ed25519"
	instanceName = "instance"
)

// secretPerm is for what only the owner may read.
const secretPerm fs.FileMode = 0o600

// KeyError says why the manager's key cannot be used.
type KeyError struct {
	Path string
	Err  error
	hint string
}

func (e *KeyError) Error() string { return fmt.Sprintf("the manager's key %s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *KeyError) Hint() string { return e.hint }

// Key returns the manager's key, and makes it at the first use.
func Key(fsys safefs.FS) (ssh.Signer, error) {
	name := path.Join(Dir, keyName)
	text, err := secret(fsys, keyName, func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block, err := ssh.MarshalPrivateKey(key, "waybill smad")
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(block), nil
	})
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, &KeyError{name, err, "put the key back from a backup; or move the file away: a new one is made, and must be made known to every gateway"}
	}
	return key, nil
}

// PublicLine is the public half of a key as a line of authorized_keys.
func PublicLine(key ssh.PublicKey) string {
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " waybill smad"
}

// Instance returns the id that tells this manager from another one behind the
// same address, and makes it at the first use.
func Instance(fsys safefs.FS) (string, error) {
	b, err := secret(fsys, instanceName, func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil })
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(b))
	if !gatewayName.MatchString(id) {
		return "", fmt.Errorf("%s/%s holds no id: %q", Dir, instanceName, id)
	}
	return id, nil
}

// maxSecret bounds a file of ours.
const maxSecret = 64 << 10

// secret reads a file that only its owner may read. One that is missing is made
// by fresh.
func secret(fsys safefs.FS, name string, fresh func() ([]byte, error)) ([]byte, error) {
	full := path.Join(Dir, name)
	f, err := fsys.Open(full)
	if errors.Is(err, fs.ErrNotExist) {
		b, err := fresh()
		if err != nil {
			return nil, err
		}
		err = publishSecret(fsys, name, b)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return b, err
		}
		f, err = fsys.Open(full) // another process was faster
		if err != nil {
			return nil, err
		}
		return readSecret(f, full)
	}
	if err != nil {
		return nil, &KeyError{full, err, "run it as the owner of the data directory"}
	}
	return readSecret(f, full)
}

func readSecret(f safefs.File, full string) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &KeyError{full, fmt.Errorf("others can read it (%v)", info.Mode().Perm()), "chmod 600 " + full}
	}
	return io.ReadAll(io.LimitReader(f, maxSecret))
}

func publishSecret(fsys safefs.FS, name string, content []byte) error {
	if err := fsys.MkdirAll(Dir); err != nil {
		return err
	}
	temp := path.Join(Dir, "."+name+"."+rand.Text()[:8]+".tmp")
	f, err := fsys.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretPerm)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.RenameNew(temp, path.Join(Dir, name))
	}
	if err != nil {
		_ = fsys.Remove(temp) // the first error counts
		return fmt.Errorf("make %s: %w", name, err)
	}
	return fsys.SyncDir(Dir)
}
