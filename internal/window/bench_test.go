package window

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// Rates are in bytes of log lines, as they stand in the file that was read.

func logSize(events []track.Event) (n int64) {
	for i := range events {
		n += int64(len(events[i].Text)) + int64(len("Nov 21 21:06:25 mx-a \n"))
	}
	return n
}

func BenchmarkEncode(b *testing.B) {
	events := genuine(b, 1<<20)
	b.SetBytes(logSize(events))
	b.ReportAllocs()
	dir := b.TempDir()
	for b.Loop() {
		w := must(Create(safefs.OS(), dir, importedHeader()))
		w.AddSource(Source{})
		for i := range events {
			if err := w.Append(&events[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.writeTrailer(); err != nil {
			b.Fatal(err)
		}
		if err := w.Abort(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, compress := range []bool{false, true} {
		name := "plain"
		if compress {
			name = "gzip"
		}
		b.Run(name, func(b *testing.B) {
			events := genuine(b, 1<<20)
			dir := b.TempDir()
			w := must(Create(safefs.OS(), dir, importedHeader()))
			w.AddSource(Source{})
			for i := range events {
				if err := w.Append(&events[i]); err != nil {
					b.Fatal(err)
				}
			}
			sealed := must(w.Seal(compress))
			info := must(os.Stat(filepath.Join(dir, sealed.Name.String())))
			b.SetBytes(logSize(events))
			b.ReportMetric(float64(info.Size())/float64(logSize(events)), "size/log")
			b.ReportAllocs()
			events = nil // the collector shall not have to look at them
			var e track.Event
			for b.Loop() {
				r := must(Open(safefs.OS(), sealed.Path))
				for {
					err := r.Next(&e)
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				r.Close()
			}
		})
	}
}

func BenchmarkBlock(b *testing.B) {
	events := genuine(b, 1<<20)[:512]
	var buf []byte
	b.Run("append", func(b *testing.B) {
		b.SetBytes(logSize(events))
		for b.Loop() {
			buf = AppendBlock(buf[:0], events)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(logSize(events))
		for b.Loop() {
			if err := ReadBlock(buf, func(*track.Event) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
