package smad

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPull pulls and acknowledges b.N small files from a server in this
// process: CPU seconds of both sides, per file, with every sync on a real disk.
func BenchmarkPull(b *testing.B) {
	one, content := makeWindow(b, day, 0)
	s := startServer(b, nil)
	s.hello = helloLine
	for i := range b.N {
		name := one
		if i > 0 {
			from := day.Add(time.Duration(i) * 3 * time.Minute)
			const form = "20060102T150405Z"
			name = fmt.Sprintf("tracking.@%s_%s.s.gz", from.Format(form), from.Add(3*time.Minute).Format(form))
		}
		s.files[name] = content
	}
	last := slices.Max(slices.Collect(maps.Keys(s.files)))
	m := newManager(b, func(o *Options) { o.Log = slog.New(slog.DiscardHandler); o.Ops = o.Log; o.InFlight = 8 })
	m.add(s, nil)
	b.ResetTimer()
	began := cpu(b)
	m.start()
	for m.status("mx-a").Acknowledged < int64(b.N) {
		<-time.After(5 * time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/file")
	m.halt()
	if st := m.status("mx-a"); st.Name != "" && st.Newest.Before(endOf(last)) {
		b.Errorf("newest %v", st.Newest)
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
