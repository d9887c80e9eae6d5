package safefs

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// tempSuffix ends the dot-names of files that are not published yet.
const tempSuffix = ".tmp"

// Publish makes the file name in dir with what write writes. When it returns
// nil the file is complete and durable. At every other moment, also after a
// crash, the name is absent or complete. It never replaces a file: if the name
// is taken it fails with fs.ErrExist.
//
// When the very last step fails, the sync of the directory, the name is there
// and complete but may be gone after a crash; that error too must be taken for
// a failure.
func Publish(fsys FS, dir, name string, write func(io.Writer) error) error {
	return publish(fsys, dir, name, write, fsys.RenameNew)
}

// Replace is Publish for a file that is written again and again, such as a
// checkpoint: the name has the old content or the new one, never another.
func Replace(fsys FS, dir, name string, write func(io.Writer) error) error {
	return publish(fsys, dir, name, write, fsys.Rename)
}

func publish(fsys FS, dir, name string, write func(io.Writer) error, rename func(from, to string) error) error {
	temp := filepath.Join(dir, "."+name+"."+rand.Text()[:8]+tempSuffix)
	if err := writeSynced(fsys, temp, write); err != nil {
		// The error that counts is the first one; what Remove leaves behind is
		// cleaned by RemoveTemps at the next start.
		_ = fsys.Remove(temp)
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if err := rename(temp, filepath.Join(dir, name)); err != nil {
		_ = fsys.Remove(temp)
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("publish %s: sync directory: %w", name, err)
	}
	return nil
}

func writeSynced(fsys FS, name string, write func(io.Writer) error) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 64<<10)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// RemoveTemps removes what an interrupted Publish left in dir. It is for the
// one owner of the directory, before he publishes.
func RemoveTemps(fsys FS, dir string) error {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if n := e.Name(); strings.HasPrefix(n, ".") && strings.HasSuffix(n, tempSuffix) {
			if err := fsys.Remove(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}
