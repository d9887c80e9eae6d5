package sshd_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
	"waybill/internal/sshd/sshdtest"
)

func sftpOf(t testing.TB, c *ssh.Client) *sftp.Client {
	t.Helper()
	f, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestSent: only a whole file whose handle is closed counts as sent.
func TestSent(t *testing.T) {
	for _, tc := range []struct {
		name string
		read func(t *testing.T, c *ssh.Client, f *sftp.File)
		sent bool
	}{
		{"whole", func(t *testing.T, _ *ssh.Client, f *sftp.File) { copyTo(t, io.Discard, f); f.Close() }, true},
		{"not closed", func(t *testing.T, c *ssh.Client, f *sftp.File) { copyTo(t, io.Discard, f); c.Close() }, false},
		{"all but the last byte", func(t *testing.T, _ *ssh.Client, f *sftp.File) { readAt(t, f, 0, 99_999); f.Close() }, false},
		{"all but the first byte", func(t *testing.T, _ *ssh.Client, f *sftp.File) { readAt(t, f, 1, 99_999); f.Close() }, false},
		{"the end alone", func(t *testing.T, _ *ssh.Client, f *sftp.File) { readAt(t, f, 99_999, 1); f.Close() }, false},
		{"in pieces, backwards", func(t *testing.T, _ *ssh.Client, f *sftp.File) {
			for off := int64(90_000); off >= 0; off -= 10_000 {
				readAt(t, f, off, 10_000)
			}
			f.Close()
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			c := s.connect(t)
			f, err := sftpOf(t, c).Open("/export/tracking/" + fileA)
			if err != nil {
				t.Fatal(err)
			}
			tc.read(t, c, f)
			c.Close()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if s.x.Did("sent", fileA) != tc.sent || s.x.Did("received", fileA) {
				t.Errorf("journal %q", s.x.Journal())
			}
		})
	}
}

func copyTo(t *testing.T, w io.Writer, f *sftp.File) {
	t.Helper()
	if n, err := io.Copy(w, f); err != nil || n != 100_000 {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func readAt(t *testing.T, f *sftp.File, off int64, n int) {
	t.Helper()
	if got, err := f.ReadAt(make([]byte, n), off); got != n {
		t.Fatalf("%d bytes, %v", got, err)
	}
}

func TestSFTPErrors(t *testing.T) {
	s := newSite(t)
	f := sftpOf(t, s.connect(t))
	if err := f.Remove("/export/tracking/" + fileA); err == nil || !strings.Contains(err.Error(), "no receipt") {
		t.Errorf("remove without a receipt: %v", err)
	}
	for _, p := range []string{"/etc/passwd", "/export/tracking/../../etc/passwd", "/export/tracking/." + fileA, "/export/tracking/x"} {
		if _, err := f.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v", p, err)
		}
		if _, err := f.Open(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %s: %v", p, err)
		}
	}
	for name, try := range map[string]func() error{
		"create":  func() error { _, err := f.Create("/export/tracking/" + fileB); return err },
		"rename":  func() error { return f.Rename("/export/tracking/"+fileA, "/export/tracking/x") },
		"posix":   func() error { return f.PosixRename("/export/tracking/"+fileA, "/export/tracking/x") },
		"mkdir":   func() error { return f.Mkdir("/export/x") },
		"symlink": func() error { return f.Symlink("/etc/passwd", "/export/tracking/x") },
		"link":    func() error { return f.Link("/etc/passwd", "/export/tracking/x") },
		"chmod":   func() error { return f.Chmod("/export/tracking/"+fileA, 0) },
		"trunc":   func() error { return f.Truncate("/export/tracking/"+fileA, 0) },
		"statvfs": func() error { _, err := f.StatVFS("/"); return err },
		"readlnk": func() error { _, err := f.ReadLink("/export/tracking/" + fileA); return err },
		"rmdir":   func() error { return f.RemoveDirectory("/export/tracking") },
	} {
		if try() == nil {
			t.Errorf("%s went through", name)
		}
	}
	// What went wrong inside is not for the other side.
	s.x.FailReads(errors.New("read /var/lib/waybill/secret: input/output error"))
	file, err := f.Open("/export/tracking/" + fileA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(file); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("read: %v", err)
	}
	var open []*sftp.File
	for len(open) < 100 {
		file, err := f.Open("/export/tracking/" + fileB)
		if err != nil {
			break
		}
		open = append(open, file)
	}
	if len(open) != 63 {
		t.Errorf("%d files open, and one before", len(open))
	}
}

// trap is an export that panics where it is told to.
type trap struct {
	*sshdtest.Export
	at string
}

func (p *trap) Knows(f string) bool {
	p.spring("knows")
	return p.Export.Knows(f)
}

func (p *trap) Enter(f string, a netip.Addr, i string) (sshd.Visit, error) {
	v, err := p.Export.Enter(f, a, i)
	return trapVisit{v, p}, err
}

func (p *trap) spring(at string) {
	if p.at == at {
		p.at = ""
		panic("trap at " + at)
	}
}

type trapVisit struct {
	sshd.Visit
	p *trap
}

func (v trapVisit) List() ([]sshd.Entry, error) {
	v.p.spring("list")
	return v.Visit.List()
}

// TestPanic: a panic is counted and logged, and ends no more than a connection.
func TestPanic(t *testing.T) {
	for _, at := range []string{"knows", "list", "sftp"} {
		t.Run(at, func(t *testing.T) {
			p := &trap{}
			s := newSite(t, func(s *site) { p.Export = s.x; s.Front = p })
			switch at {
			case "knows":
				p.at = "knows"
				if _, err := s.dial("192.0.2.92:1", s.clientConfig(s.key)); err == nil {
					t.Error("got in")
				}
			case "list":
				c := s.connect(t)
				sess, err := c.NewSession()
				if err != nil {
					t.Fatal(err)
				}
				p.at = "list"
				if err := sess.Run("ls -AF /export/tracking"); err == nil {
					t.Error("success")
				}
			case "sftp":
				f := sftpOf(t, s.connect(t))
				p.at = "list"
				if _, err := f.ReadDir("/export/tracking"); err == nil {
					t.Error("success")
				}
			}
			if _, _, status := run(t, s.connect(t), "ls -AF /export/tracking"); status != 0 {
				t.Error("nobody is served any more")
			}
			if st := s.Status(); st.Refused["internal error"] != 1 || st.Unauthenticated != 0 {
				t.Errorf("status %+v", st)
			}
			if !strings.Contains(strings.Join(s.log.all(), "\n"), "trap at ") {
				t.Errorf("log %q", s.log.all())
			}
		})
	}
}

// failing is a listener that is out of file descriptors now and then.
type failing struct {
	net.Listener
	fails int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.fails > 0 {
		f.fails--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := sshdtest.NewListener(addr("192.0.2.64:22"))
		s := &sshd.Server{Front: &sshdtest.Export{}, HostKey: newKey(t)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, &failing{l, 10}) }()
		time.Sleep(10 * time.Second)
		nc, err := l.Dial(addr("192.0.2.92:1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := s.Status(); st.Unauthenticated != 1 || st.Listening != "192.0.2.64:22" {
			t.Errorf("status %+v", st)
		}
		nc.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if s.Status().Listening != "" {
			t.Error("still says that it listens")
		}
	})
}

// TestListenerGone: without a context that ended it is an error.
func TestListenerGone(t *testing.T) {
	l := sshdtest.NewListener(addr("192.0.2.64:22"))
	l.Close()
	s := &sshd.Server{Front: &sshdtest.Export{}, HostKey: newKey(t)}
	if err := s.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// TestEnrollingCrowd: an armed token lets strangers prove keys of their own; few
// of them at a time.
func TestEnrollingCrowd(t *testing.T) {
	s := newSite(t)
	s.x.Arm("token")
	admitted := 0
	for range 10 {
		c, err := s.dial("198.51.100.1:1", s.clientConfig(newKey(t)))
		if err != nil {
			continue
		}
		defer c.Close()
		if _, err := c.NewSession(); err == nil {
			admitted++
		}
	}
	if admitted != 4 || len(s.Status().Logins) != 0 {
		t.Errorf("%d strangers, status %+v", admitted, s.Status())
	}
	if _, _, status := run(t, s.connect(t), "ls -AF /export/tracking"); status != 0 {
		t.Error("the collector does not get in")
	}
}

func BenchmarkPull(b *testing.B) {
	s := newSite(b)
	c := s.connect(b)
	for b.Loop() {
		if _, _, status, err := scp(c, "scp -f "+fileB, nil); status != 0 || err != nil {
			b.Fatal(status, err)
		}
		run(b, c, "rm "+fileB)
		run(b, c, "refetch "+fileB)
	}
}
