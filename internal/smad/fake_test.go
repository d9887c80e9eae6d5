package smad

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
	"waybill/internal/window"
)

// makeWindow makes a tracking file: its name and its bytes.
func makeWindow(tb testing.TB, from time.Time, sequence uint64) (string, []byte) {
	tb.Helper()
	fsys := crashfs.New()
	w, err := window.Create(fsys, ".", window.Header{Gateway: "mx-a", Serial: "5F0C", Epoch: 1, Sequence: sequence, Software: "waybill test",
		Interval: track.Interval{From: track.StampOf(from), To: track.StampOf(from.Add(3 * time.Minute))}})
	if err != nil {
		tb.Fatal(err)
	}
	sealed, err := w.Seal(true)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed.Name.String(), readFile(tb, fsys, sealed.Path)
}

func readFile(tb testing.TB, fsys safefs.FS, name string) []byte {
	tb.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var day = time.Date(2023, 2, 13, 19, 16, 31, 0, time.UTC)

// windows makes n files in a row.
func windows(tb testing.TB, n int) map[string][]byte {
	tb.Helper()
	out := make(map[string][]byte)
	for i := range n {
		name, b := makeWindow(tb, day.Add(time.Duration(i)*3*time.Minute), uint64(i))
		out[name] = b
	}
	return out
}

func newSigner(tb testing.TB) ssh.Signer {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// server is a small SSH server for one gateway, with faults. With hello it is
// one of Waybill's.
type server struct {
	tb       testing.TB
	address  string
	host     ssh.Signer
	allow    func(ssh.PublicKey) bool
	hello    string
	token    string // armed
	evidence string

	mu       sync.Mutex
	files    map[string][]byte
	removed  []string
	commands []string
	logins   int
	conns    []net.Conn
	// send answers scp -f instead of the usual; nil: the usual.
	send func(name string, content []byte, ch ssh.Channel) (handled bool)
	// refuse answers a command with this text on stderr and exit 1; "" lets it.
	refuse func(command string) string
}

func newServer(tb testing.TB, files map[string][]byte) *server {
	s := &server{tb: tb, host: newSigner(tb), files: maps.Clone(files)}
	if s.files == nil {
		s.files = make(map[string][]byte)
	}
	return s
}

// startServer is one that listens.
func startServer(tb testing.TB, files map[string][]byte) *server {
	tb.Helper()
	s := newServer(tb, files)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.address = l.Addr().String()
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	tb.Cleanup(func() {
		stop()
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				s.serve(c)
			})
		}
	})
	return s
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	host := s.host
	s.mu.Unlock()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if s.allow != nil && !s.allow(k) {
			return nil, fmt.Errorf("unknown key")
		}
		return &ssh.Permissions{Extensions: map[string]string{"key": string(k.Marshal())}}, nil
	}}
	config.AddHostKey(host)
	sc, chans, reqs, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	defer sc.Close()
	s.mu.Lock()
	s.logins++
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	go ssh.DiscardRequests(reqs)
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := range chans {
		ch, reqs, err := n.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer ch.Close()
			for r := range reqs {
				if r.Type != "exec" {
					r.Reply(false, nil)
					continue
				}
				var p struct{ Command string }
				ssh.Unmarshal(r.Payload, &p)
				r.Reply(true, nil)
				status := s.command(p.Command, ch, sc)
				ch.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{status}))
				return
			}
		})
	}
}

func (s *server) command(command string, ch ssh.Channel, sc *ssh.ServerConn) uint32 {
	s.mu.Lock()
	s.commands = append(s.commands, command)
	refuse, send := s.refuse, s.send
	s.mu.Unlock()
	fail := func(said string) uint32 {
		fmt.Fprintln(ch.Stderr(), said)
		return 1
	}
	if refuse != nil {
		if said := refuse(command); said != "" {
			return fail(said)
		}
	}
	word, rest, _ := strings.Cut(command, " ")
	name := path.Base(rest)
	s.mu.Lock()
	content, there := s.files[name]
	s.mu.Unlock()
	switch {
	case word == "ls":
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, n := range slices.Sorted(maps.Keys(s.files)) {
			fmt.Fprintln(ch, n)
		}
	case word == "hello" && s.hello != "":
		fmt.Fprintln(ch, s.hello)
	case word == "evidence" && s.hello != "":
		io.WriteString(ch, s.evidence)
	case word == "enrol" && s.token != "":
		key, err := ssh.ParsePublicKey([]byte(sc.Permissions.Extensions["key"]))
		if err != nil {
			return fail(err.Error())
		}
		if !strings.HasSuffix(command, fmt.Sprintf("%x", proof(s.token, clientLabel, sc.SessionID(), key))) {
			return fail("wrong")
		}
		fmt.Fprintf(ch, "waybill-enrol 1 %x mx-a 5F0C\n", proof(s.token, serverLabel, sc.SessionID(), key))
	case word == "scp":
		ok := make([]byte, 1)
		io.ReadFull(ch, ok)
		if !there {
			fmt.Fprintf(ch, "\x01scp: %s: No such file or directory\n", rest)
			return 1
		}
		if send != nil && send(name, content, ch) {
			return 0
		}
		sendFile(ch, name, content)
	case word == "rm":
		s.mu.Lock()
		defer s.mu.Unlock()
		if !there {
			return fail("rm: cannot remove '" + rest + "': No such file or directory")
		}
		delete(s.files, name)
		s.removed = append(s.removed, name)
	default:
		fmt.Fprintln(ch.Stderr(), "sh: 1: "+word+": not found")
		return 127
	}
	return 0
}

// sendFile is the sending end of scp, after the first zero byte.
func sendFile(ch io.ReadWriter, name string, content []byte) bool {
	ok := make([]byte, 1)
	fmt.Fprintf(ch, "C0640 %d %s\n", len(content), name)
	if _, err := io.ReadFull(ch, ok); err != nil || ok[0] != 0 {
		return false
	}
	ch.Write(content)
	ch.Write([]byte{0})
	_, err := io.ReadFull(ch, ok)
	return err == nil && ok[0] == 0
}

// drop ends all connections. The caller holds mu.
func (s *server) drop() {
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func (s *server) left() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.files))
}

func (s *server) hostKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.host.PublicKey())))
}

// manager is a service under test with what it wrote.
type manager struct {
	tb   testing.TB
	dir  string
	fs   *safefs.Root
	s    *Service
	reg  *Registry
	ops  *lines
	stop context.CancelFunc
	done chan error
}

// lines keeps the messages of a logger.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, r.Message)
	return nil
}

func (l *lines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.text, func(s string) bool { return strings.Contains(s, part) })
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

func newManager(tb testing.TB, change func(*Options)) *manager {
	tb.Helper()
	return managerIn(tb, tb.TempDir(), change)
}

func managerIn(tb testing.TB, dir string, change func(*Options)) *manager {
	tb.Helper()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { root.Close() })
	m := &manager{tb: tb, dir: dir, fs: root, ops: &lines{}, reg: &Registry{FS: root}}
	o := Options{FS: root, Name: "manager-a", Poll: 20 * time.Millisecond, Ops: slog.New(m.ops), Log: slog.New(&testLog{tb: tb})}
	if change != nil {
		change(&o)
	}
	if m.s, err = New(o); err != nil {
		tb.Fatal(err)
	}
	return m
}

// testLog writes diagnostics to the test's log.
type testLog struct {
	tb testing.TB
	mu sync.Mutex
}

func (l *testLog) Enabled(_ context.Context, v slog.Level) bool { return v >= slog.LevelInfo }
func (l *testLog) WithAttrs([]slog.Attr) slog.Handler           { return l }
func (l *testLog) WithGroup(string) slog.Handler                { return l }
func (l *testLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %v", a); return true })
	l.tb.Log(b.String())
	return nil
}

func (m *manager) add(s *server, change func(*Gateway)) {
	m.tb.Helper()
	g := Gateway{Name: "mx-a", Address: s.address, HostKey: s.hostKey()}
	if change != nil {
		change(&g)
	}
	if _, err := m.reg.Add(g); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *manager) start() {
	ctx, stop := context.WithCancel(context.Background())
	m.stop, m.done = stop, make(chan error, 1)
	go func() { m.done <- m.s.Run(ctx) }()
	m.tb.Cleanup(func() { m.halt() })
}

func (m *manager) halt() {
	if m.stop == nil {
		return
	}
	m.stop()
	if err := <-m.done; err != nil {
		m.tb.Errorf("Run: %v", err)
	}
	m.stop = nil
}

// until waits for something to become true.
func (m *manager) until(what string, ok func() bool) {
	m.tb.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			m.tb.Fatalf("not within 20 s: %s\nstatus %+v\n%s", what, m.s.Status(), m.ops.all())
		case <-tick.C:
		}
	}
}

func (m *manager) status(name string) GatewayStatus {
	for _, g := range m.s.Status().Gateways {
		if g.Name == name {
			return g
		}
	}
	return GatewayStatus{}
}

// pulled is what lies in log/tracking of mx-a, dot-names aside.
func (m *manager) pulled() map[string][]byte {
	m.tb.Helper()
	out := make(map[string][]byte)
	entries, err := m.fs.ReadDir(pulledDir + "/mx-a")
	if err != nil {
		return out
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out[e.Name()] = readFile(m.tb, m.fs, path.Join(pulledDir, "mx-a", e.Name()))
		}
	}
	return out
}

// journalOf reads all records of a gateway's journal.
func journalOf(tb testing.TB, fsys safefs.FS, gateway string) []Record {
	tb.Helper()
	j := &journal{fs: fsys, dir: path.Join(journalsDir, gateway), files: map[string]*fileState{}}
	names, err := j.names()
	if err != nil {
		tb.Fatal(err)
	}
	var out []Record
	for _, n := range names {
		out = append(out, records(tb, readFile(tb, fsys, path.Join(j.dir, n)))...)
	}
	return out
}
