package sshd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
)

const (
	// maxOpen bounds the files that an SFTP session has open.
	maxOpen = 64
	// maxSpans bounds how scattered a file may be read and still count as whole.
	maxSpans = 256
)

// sftp serves the SFTP subsystem over the same view: list, read, remove.
func (s *session) sftp() uint32 {
	v, err := s.enter()
	if err != nil {
		s.refuse(byVisit)
		return s.refused("sftp", Command{}, err)
	}
	_ = v // each request asks again: the visit of a long session changes
	s.s.books.command()
	s.log.executed("sftp")
	view := &sftpView{s: s}
	srv := sftp.NewRequestServer(
		&sftpPipe{Reader: s.ch, Writer: s.timed(s.ch), Closer: s.ch},
		sftp.Handlers{FileGet: view, FilePut: view, FileCmd: view, FileList: view},
		sftp.WithStartDirectory(Directory))
	if err := srv.Serve(); err != nil && !errors.Is(err, io.EOF) {
		s.s.diag().Debug("SFTP session ended", "from", s.from.String(), "err", err)
	}
	return 0
}

type sftpPipe struct {
	io.Reader
	io.Writer
	io.Closer
}

// sftpView is the export as SFTP sees it: two directories with one thing in
// them, and one with the files. Its methods run at the same time; what the
// library calls on goroutines of its own must not panic.
type sftpView struct {
	s *session

	mu   sync.Mutex
	open int
}

// said makes an error fit for the other side. The library knows the meaning of
// fs.ErrNotExist and sends the text of others.
func (w *sftpView) said(verb, name string, err error) error {
	w.s.refuse(byReceipt)
	words := w.s.explain(err)
	w.s.log.refused("sftp "+verb+" "+Directory+"/"+name, words)
	if errors.Is(err, errRevoked) {
		w.s.sc.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return sftp.ErrSSHFxNoSuchFile
	}
	return errors.New(words)
}

// refuseWrite is the answer to whatever would change something.
func (w *sftpView) refuseWrite(what string) error {
	w.s.refuse(byWrite)
	w.s.log.refused("sftp "+what, "files are handed out here, not changed")
	return sftp.ErrSSHFxPermissionDenied
}

func (w *sftpView) caught(err *error) {
	if p := recover(); p != nil {
		func() {
			defer w.s.s.recovered()
			panic(p)
		}()
		*err = sftp.ErrSSHFxFailure
	}
}

// Filewrite implements sftp.FileWriter.
func (w *sftpView) Filewrite(r *sftp.Request) (_ io.WriterAt, err error) {
	defer w.caught(&err)
	return nil, w.refuseWrite("put " + r.Filepath)
}

// Filecmd implements sftp.FileCmder: remove is the acknowledgement.
func (w *sftpView) Filecmd(r *sftp.Request) (err error) {
	defer w.caught(&err)
	name, ok := inside(r.Filepath)
	if r.Method != "Remove" {
		return w.refuseWrite(strings.ToLower(r.Method) + " " + r.Filepath)
	}
	if !ok {
		return sftp.ErrSSHFxNoSuchFile
	}
	v, err := w.s.enter()
	if err == nil {
		err = v.Acknowledge(name)
	}
	if err != nil {
		return w.said("rm", name, err)
	}
	w.s.log.executed("sftp rm " + Directory + "/" + name)
	return nil
}

// Fileread implements sftp.FileReader.
func (w *sftpView) Fileread(r *sftp.Request) (_ io.ReaderAt, err error) {
	defer w.caught(&err)
	name, ok := inside(r.Filepath)
	if !ok {
		return nil, sftp.ErrSSHFxNoSuchFile
	}
	w.mu.Lock()
	full := w.open >= maxOpen
	if !full {
		w.open++
	}
	w.mu.Unlock()
	if full {
		return nil, errors.New("too many open files")
	}
	v, err := w.s.enter()
	var h Handout
	if err == nil {
		h, err = v.Open(name)
	}
	if err != nil {
		w.release()
		return nil, w.said("get", name, err)
	}
	w.s.log.executed("sftp get " + Directory + "/" + name)
	return &sftpFile{view: w, name: name, h: h}, nil
}

func (w *sftpView) release() {
	w.mu.Lock()
	w.open--
	w.mu.Unlock()
}

// Filelist implements sftp.FileLister for list and stat.
func (w *sftpView) Filelist(r *sftp.Request) (_ sftp.ListerAt, err error) {
	defer w.caught(&err)
	switch r.Method {
	case "List":
		return w.list(r.Filepath)
	case "Stat", "Lstat":
		info, err := w.stat(r.Filepath)
		if err != nil {
			return nil, err
		}
		return lister{info}, nil
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

func (w *sftpView) list(dir string) (sftp.ListerAt, error) {
	if next, ok := below(dir); ok && next != "" {
		return lister{folder(next)}, nil
	} else if !ok {
		return nil, sftp.ErrSSHFxNoSuchFile
	}
	v, err := w.s.enter()
	var entries []Entry
	if err == nil {
		entries, err = v.List()
	}
	if err != nil {
		return nil, w.said("ls", "", err)
	}
	w.s.log.executed("sftp ls " + Directory + "/")
	infos := make(lister, 0, len(entries))
	for _, e := range entries {
		if isFile(e.Name) {
			infos = append(infos, file{e})
		}
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return infos, nil
}

func (w *sftpView) stat(p string) (os.FileInfo, error) {
	if _, ok := below(p); ok {
		return folder(path.Base(p)), nil
	}
	name, ok := inside(p)
	if !ok {
		return nil, sftp.ErrSSHFxNoSuchFile
	}
	v, err := w.s.enter()
	if err != nil {
		return nil, w.said("stat", name, err)
	}
	h, err := v.Open(name)
	if err != nil {
		return nil, w.said("stat", name, err)
	}
	defer h.Close()
	return file{Entry{name, h.Size(), h.ModTime()}}, nil
}

// inside takes the name of a tracking file out of a cleaned, absolute path.
func inside(p string) (string, bool) {
	name, ok := strings.CutPrefix(p, Directory+"/")
	return name, ok && isFile(name)
}

// below says that p is a directory here, and what the one directory in it is;
// empty for that of the files.
func below(p string) (next string, ok bool) {
	switch p {
	case "/":
		return "export", true
	case path.Dir(Directory):
		return path.Base(Directory), true
	case Directory:
		return "", true
	}
	return "", false
}

// lister implements sftp.ListerAt.
type lister []os.FileInfo

func (l lister) ListAt(dst []os.FileInfo, off int64) (int, error) {
	if off < 0 || off >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(dst, l[off:])
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

type file struct{ entry Entry }

func (f file) Name() string       { return f.entry.Name }
func (f file) Size() int64        { return f.entry.Size }
func (f file) Mode() fs.FileMode  { return 0o444 }
func (f file) ModTime() time.Time { return f.entry.ModTime }
func (f file) IsDir() bool        { return false }
func (f file) Sys() any           { return nil }

type folder string

func (f folder) Name() string       { return string(f) }
func (f folder) Size() int64        { return 0 }
func (f folder) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (f folder) ModTime() time.Time { return time.Unix(0, 0) }
func (f folder) IsDir() bool        { return true }
func (f folder) Sys() any           { return nil }

// sftpFile is an open file. When all of it was read and the receiver closes it
// in an orderly way, it is taken for sent.
type sftpFile struct {
	view *sftpView
	name string
	h    Handout

	mu     sync.Mutex
	read   spans
	broken bool // the session ended before the receiver closed the file
}

// ReadAt implements io.ReaderAt.
func (f *sftpFile) ReadAt(p []byte, off int64) (n int, err error) {
	defer f.view.caught(&err)
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	n, err = f.h.ReadAt(p, off)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read.add(off, off+int64(n))
	if err != nil && err != io.EOF {
		f.view.s.s.diag().Error("Tracking file not read", "window", f.name, "err", err)
		err = sftp.ErrSSHFxFailure // what exactly failed is not for the other side
	}
	return n, err
}

// TransferError is called when the session ends before the file was closed.
func (f *sftpFile) TransferError(error) {
	f.mu.Lock()
	f.broken = true
	f.mu.Unlock()
}

// Close implements io.Closer. Its error is the answer to the receiver's close.
func (f *sftpFile) Close() (err error) {
	defer f.view.caught(&err)
	defer f.view.release()
	defer f.h.Close()
	f.mu.Lock()
	whole := !f.broken && f.read.whole(f.h.Size())
	f.mu.Unlock()
	if !whole {
		return nil
	}
	if err := f.h.Sent(); err != nil {
		f.view.s.s.diag().Error("Receipt not recorded", "window", f.name, "err", err)
		return fmt.Errorf("the receipt could not be recorded: copy the file again")
	}
	return nil
}

// spans are the parts of a file that were read: sorted, apart from one another.
type spans []span

type span struct{ from, to int64 }

// add adds a part. When it gets too scattered it forgets the last ones, and the
// file will not count as whole.
func (s *spans) add(from, to int64) {
	if to <= from {
		return
	}
	l := *s
	i, _ := slices.BinarySearchFunc(l, from, func(p span, at int64) int {
		if p.to < at {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(l) && l[j].from <= to; j++ {
		from, to = min(from, l[j].from), max(to, l[j].to)
	}
	l = slices.Replace(l, i, j, span{from, to})
	if len(l) > maxSpans {
		l = l[:maxSpans]
	}
	*s = l
}

func (s spans) whole(size int64) bool {
	return size == 0 || len(s) == 1 && s[0].from <= 0 && s[0].to >= size
}
