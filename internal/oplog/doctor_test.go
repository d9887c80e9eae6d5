package oplog_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/oplog"
	"waybill/internal/safefs"
	"waybill/internal/source"
)

// TestDoctorReads writes the lines of an incident anew and lets the doctor read
// them: he finds what he finds in the appliances' own files.
func TestDoctorReads(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d := doctor.New(doctor.Options{})
	seed := "../doctor/testdata/seed/"
	for name, files := range map[string][]string{
		"cli":      {"gateway_cli_192.168.235.64.log"},
		"trackerd": {"manager_trackerd_192.168.235.64_evening.log", "manager_trackerd_192.168.235.64_night.log"},
	} {
		rewrite(t, root, name, paris, seed, files)
		paths, err := filepath.Glob(filepath.Join(dir, "pub", name+"_logs", "*"))
		if err != nil || len(paths) < 2 {
			t.Fatalf("files: %v, %v", paths, err)
		}
		for _, path := range paths {
			f, err := source.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			in := doctor.Open(path)
			if err := in.Read(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			f.Close()
			d.Add(in)
		}
	}
	r := d.Report()
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Window+" "+string(f.Cause)+" "+f.By)
	}
	want := []string{
		"tracking.@20230213T191631Z_20230213T191931Z.s.gz taken_by_other_collector 192.168.251.92",
		"tracking.@20230213T221632Z_20230213T221932Z.s.gz taken_by_other_collector 192.168.251.92",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("findings: %v", got)
	}
	for _, f := range r.Files {
		if f.Bad != 0 || f.Used == 0 {
			t.Errorf("file: %+v", f)
		}
	}
}

// rewrite writes lines of logs anew, at their times.
func rewrite(t *testing.T, root safefs.FS, name string, loc *time.Location, seed string, files []string) {
	t.Helper()
	at := time.Date(2023, 2, 13, 20, 0, 0, 0, loc)
	l := oplog.New(oplog.Options{FS: root, Dir: "pub/" + name + "_logs", Name: name, Version: "1.4.0", Serial: "1-2", Size: 1500,
		Location: loc, Now: func() time.Time { return at }})
	log := slog.New(l.Handler(nil))
	for _, file := range files {
		b, err := os.ReadFile(seed + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			if at, err = time.ParseInLocation(time.ANSIC, line[:24], loc); err != nil {
				t.Fatal(err)
			}
			log.Info(strings.TrimPrefix(line[24:], " Info: "))
		}
	}
	if err := l.Close(); err != nil || l.Err() != nil {
		t.Fatal(err, l.Err())
	}
}
