package doctor

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"waybill/internal/source"
)

// busyLogs are a manager's and a gateway's log of days in which everything goes
// well.
func busyLogs(windows int) (trackerd, cli []byte) {
	var t, c bytes.Buffer
	stamp := func(at int64) string { return utc(at + 3600).Format("Mon Jan _2 15:04:05 2006") }
	pid := 1000
	start := time.Date(2023, 2, 13, 0, 0, 0, 0, time.UTC).Unix()
	for i := range windows {
		w := span{uint32(start) + uint32(i)*180, 180}
		name, end := w.name(true), w.to()
		for k, command := range []string{"ls -AF /export/tracking/", "scp -f /export/tracking/" + name, "rm /export/tracking/" + name} {
			pid += 7
			at := stamp(end + int64(3*k))
			fmt.Fprintf(&c, "%s Info: PID %d: User smaduser login from 192.0.2.94 on 192.0.2.64\n%s Info: PID %d: User smaduser executed batch command: '%s'\n%s Info: PID %d: User smaduser logged out of Command Line Interface using SSH connection.\n", at, pid, at, pid, command, at, pid)
		}
		fmt.Fprintf(&t, "%s Info: Tracking parser moved /data/log/tracking/192.0.2.64/%s to /data/tracking/incoming_queue/0/192.0.2.64/%s.\n", stamp(end+40), name, name)
	}
	return t.Bytes(), c.Bytes()
}

// BenchmarkRead reads a manager's and a gateway's log.
func BenchmarkRead(b *testing.B) {
	trackerd, cli := busyLogs(20_000)
	b.SetBytes(int64(len(trackerd) + len(cli)))
	b.ReportAllocs()
	for b.Loop() {
		d := New(Options{})
		for name, text := range map[string][]byte{"trackerd.log": trackerd, "cli.log": cli} {
			f, err := source.New(name, bytes.NewReader(text), time.Time{})
			if err != nil {
				b.Fatal(err)
			}
			in := Open(name)
			if err := in.Read(b.Context(), f); err != nil {
				b.Fatal(err)
			}
			d.Add(in)
		}
		if r := d.Report(); len(r.Findings) != 0 {
			b.Fatalf("%d findings", len(r.Findings))
		}
	}
}
