package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs"
)

// HostKeyFile is the name of the host key in the directory of the state.
const HostKeyFile = "ssh_host_ed25519_key"

// maxHostKey bounds the file, in bytes.
const maxHostKey = 16 << 10

// HostKey reads the gateway's host key from dir, and makes one at the first
// start. Collectors pin it, so one that is there and cannot be used is an error
// and never replaced. The directory must exist.
func HostKey(fsys safefs.FS, dir string) (ssh.Signer, error) {
	path := filepath.Join(dir, HostKeyFile)
	_, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeHostKey(fsys, dir); errors.Is(err, fs.ErrExist) {
			err = nil // another process was faster: its key counts
		}
	}
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	s, err := readHostKey(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("host key %s: %w", path, err)
	}
	return s, nil
}

func readHostKey(fsys safefs.FS, path string) (ssh.Signer, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of what was opened, not of what has its name by now
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if p := info.Mode().Perm(); p&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %04o): chmod 600 it, and think about making a new one", p)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxHostKey))
	if err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKey(b)
	if err != nil {
		return nil, err
	}
	if t := s.PublicKey().Type(); t != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("a key of kind %s: ed25519 is needed", t)
	}
	return s, nil
}

// makeHostKey is safefs.Publish with a mode of its own.
func makeHostKey(fsys safefs.FS, dir string) (err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(key, "waybill")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, "."+HostKeyFile+"."+rand.Text()[:8]+".tmp")
	f, err := fsys.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(pem.EncodeToMemory(block))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.RenameNew(temp, filepath.Join(dir, HostKeyFile))
	}
	if err != nil {
		_ = fsys.Remove(temp) // the first error counts
		return err
	}
	return fsys.SyncDir(dir)
}
