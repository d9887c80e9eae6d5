package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/window"
)

var day = time.Date(2023, 2, 13, 19, 16, 31, 0, time.UTC)

// key is the fingerprint of a made-up key.
func key(s string) string { return "SHA256:" + strings.Repeat(s, 43)[:43] }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var (
	addrA = addr("192.0.2.81")
	addrB = addr("192.0.2.92")
	addrC = addr("2001:db8::7")
)

// fileName is the name of the n-th window of three minutes.
func fileName(n int) string {
	from := day.Add(time.Duration(n) * 3 * time.Minute)
	return window.Name{From: from, To: from.Add(3 * time.Minute), Compressed: true}.String()
}

func fileContent(n int) string { return fmt.Sprintf("window %d %s", n, strings.Repeat("x", 90)) }

// rig is a gateway: both processes over one disk, and a clock.
type rig struct {
	t      testing.TB
	o      Options
	disk   *crashfs.FS
	now    time.Time
	log    bytes.Buffer
	front  *Front
	keeper *Keeper
}

func newRig(t testing.TB, set func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, disk: crashfs.New(), now: day.Add(24 * time.Hour)}
	r.o = Options{FS: r.disk, Files: "pub/export/tracking", State: "export", Hold: 72 * time.Hour,
		Now: func() time.Time { return r.now }, Log: slog.New(slog.NewTextHandler(&r.log, nil))}
	if set != nil {
		set(&r.o)
	}
	r.open()
	t.Cleanup(func() { r.front.Close(); r.keeper.Close() })
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.keeper, err = OpenKeeper(r.o)
	r.check(err)
	r.front, err = OpenFront(r.o)
	r.check(err)
}

// restart lets both processes end and begin anew.
func (r *rig) restart() {
	r.t.Helper()
	r.check(errors.Join(r.front.Close(), r.keeper.Close()))
	r.open()
}

func (r *rig) admin() *Admin {
	r.t.Helper()
	a, err := OpenAdmin(r.o)
	r.check(err)
	return a
}

func (r *rig) add(k string, role Role, name string, from ...netip.Addr) Collector {
	r.t.Helper()
	c, err := r.admin().Add(key(k), from, role, name)
	r.check(err)
	return c
}

func (r *rig) enter(k string, from netip.Addr) *Visit {
	r.t.Helper()
	v, err := r.front.Enter(key(k), from, "")
	r.check(err)
	return v
}

func putFile(fsys safefs.FS, dir string, n int) error {
	return safefs.Publish(fsys, dir, fileName(n), func(w io.Writer) error {
		_, err := io.WriteString(w, fileContent(n))
		return err
	})
}

// seal makes the n-th window, as qlogd does.
func (r *rig) seal(n int) string {
	r.t.Helper()
	r.check(putFile(r.disk, r.o.Files, n))
	r.check(r.keeper.Sealed(sealed(n)))
	return fileName(n)
}

func sealed(n int) window.Sealed {
	name, _ := window.ParseName(fileName(n))
	return window.Sealed{Name: name, Path: filepath.Join("pub/export/tracking", fileName(n))}
}

func (r *rig) keep() {
	r.t.Helper()
	r.check(r.keeper.Keep())
}

func list(t testing.TB, v *Visit) string {
	t.Helper()
	entries, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, numberOf(e.Name))
	}
	return strings.Join(out, " ")
}

// numberOf is the number of the window of a name.
func numberOf(name string) string {
	n, err := window.ParseName(name)
	if err != nil {
		return name
	}
	return fmt.Sprint(int(n.From.Sub(day) / (3 * time.Minute)))
}

// fetch reads a file and gives a receipt.
func fetch(v *Visit, name string, receipt func(*Handout) error) error {
	h, err := v.Open(name)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.NewSectionReader(h, 0, h.Size()))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(got), "window "+numberOf(name)+" ") || int64(len(got)) != h.Size() {
		return fmt.Errorf("%s holds %q", name, got)
	}
	return errors.Join(receipt(h), h.Close())
}

// take is what a collector does with a file: scp, rm.
func take(v *Visit, name string) error {
	if err := fetch(v, name, (*Handout).Received); err != nil {
		return err
	}
	return v.Acknowledge(name)
}

func (r *rig) exists(name string) bool {
	_, err := r.disk.Stat(filepath.Join(r.o.Files, name))
	return err == nil
}

// evidence is what the journals hold, as lines "kind file collector".
func (r *rig) evidence() string {
	r.t.Helper()
	var out strings.Builder
	for e, err := range r.o.evidence(time.Time{}, r.now.Add(time.Hour)) {
		r.check(err)
		fmt.Fprintf(&out, "%s %s %s\n", e.Kind, numberOf(e.File), e.Name)
	}
	return out.String()
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func wantGone(t testing.TB, err error, reason string) {
	t.Helper()
	var gone *GoneError
	if !errors.As(err, &gone) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(gone.Reason, reason) {
		t.Errorf("error %v, want a tombstone that says %q", err, reason)
	}
}
