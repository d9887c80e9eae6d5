package qlogd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/internal/safefs"
)

// BenchmarkThousandLines is a gateway that takes 1,000 lines a second from a
// file, in real time with a real disk, for 20 seconds a round. It reports the share of a core
// that the process used, which has the writer in it, and its peak of resident memory.
func BenchmarkThousandLines(b *testing.B) {
	lines := hostLines(1, 20_000)
	for range b.N {
		dir := b.TempDir()
		root, err := safefs.OpenRoot(dir)
		must(err)
		path := filepath.Join(dir, "mail.log")
		log, err := os.Create(path)
		must(err)
		s, err := New(Options{FS: root, Dir: testDir, Compress: true, Window: 5 * time.Second, Gateway: testGW, Serial: "1",
			Sources: []Source{{Origin: NewFiles(path)}}})
		must(err)
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		runtime.GC()
		used, began := cpu(), time.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		for n := 0; n < len(lines); n += 50 {
			<-tick.C
			_, err := log.WriteString(strings.Join(lines[n:n+50], "\n") + "\n")
			must(err)
		}
		tick.Stop()
		b.ReportMetric(100*(cpu()-used).Seconds()/time.Since(began).Seconds(), "%core")
		b.ReportMetric(float64(peak())/1024, "MB-peak")
		b.ReportMetric(0, "ns/op")
		stop()
		must(<-done)
		if st := s.Status(); st.Events == 0 {
			b.Fatalf("%+v", st)
		}
		must(log.Close())
		must(root.Close())
	}
}

// BenchmarkCatchUp reads a log that is there.
func BenchmarkCatchUp(b *testing.B) {
	lines := hostLines(1, 100_000)
	for b.Loop() {
		dir := b.TempDir()
		root, err := safefs.OpenRoot(dir)
		must(err)
		path := filepath.Join(dir, "mail.log")
		must(os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		s, err := New(Options{FS: root, Dir: testDir, Compress: true, Gateway: testGW, Serial: "1", Sources: []Source{{Origin: NewFiles(path)}}})
		must(err)
		r := &run{Service: s, log: s.o.Log}
		must(r.begin())
		for !r.drained {
			must(r.pass(b.Context()))
		}
		must(r.close())
		must(root.Close())
	}
	b.ReportMetric(float64(len(lines)*b.N)/b.Elapsed().Seconds(), "lines/s")
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the peak of resident memory in KiB, 0 where the system does not tell.
func peak() int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		panic(fmt.Sprint("VmHWM: ", err))
	}
	return n
}
