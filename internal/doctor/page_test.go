package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/source"
)

// readText reads a file that is in memory.
func readText(t *testing.T, d *Doctor, name, text string) {
	t.Helper()
	f, err := source.New(name, strings.NewReader(text), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	in := Open(name)
	if err := in.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	d.Add(in)
}

// TestPageForms: a page tells the same however it was saved.
func TestPageForms(t *testing.T) {
	for name, text := range map[string]string{
		"copied with tabs": "Missing Data Intervals\nIP Address\tDescription\tFrom\tTo\n" +
			"192.0.2.64\tmx one\t14 Feb 2023 08:01 (GMT +01:00)\t14 Feb 2023 08:04 (GMT +01:00)\n",
		"copied with blanks": "192.0.2.64  mx one   14 Feb 2023 08:01 (GMT +01:00)   14 Feb 2023 08:04 (GMT +01:00)\r\n",
		"html, a row a line": "<html><body><table>\n<tr><th>IP Address</th><th>Description</th><th>From</th><th>To</th></tr>\n" +
			"<tr class=\"odd\"><td>192.0.2.64</td><td>mx&nbsp;one</td><td>14 Feb 2023 08:01 (GMT +01:00)</td><td>14 Feb 2023 08:04 (GMT +01:00)</td></tr>\n</table></body></html>\n",
		"html, a cell a line": "<!DOCTYPE html>\n<table>\n<tr>\n<td>192.0.2.64</td>\n<td>mx one</td>\n<td>14 Feb 2023\n08:01 (GMT +01:00)</td>\n<td>14 Feb 2023 08:04 (GMT +01:00)</td>\n</tr>\n</table>\n",
		"html in one line":    "<table><tr><td>192.0.2.64<td>mx one<td>14 Feb 2023 08:01 (GMT &#43;01:00)<td>14 Feb 2023 08:04 (GMT +01:00)</table>",
	} {
		t.Run(name, func(t *testing.T) {
			d := New(Options{})
			readText(t, d, "page", text)
			r := d.Report()
			var got []string
			for _, p := range r.Pages {
				got = append(got, p.Gateway+" "+p.From.Format(time.RFC3339)+" "+p.To.Format(time.RFC3339))
			}
			if diff := cmp.Diff([]string{"192.0.2.64 2023-02-14T07:01:00Z 2023-02-14T07:04:00Z"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.Findings) != 1 || r.Findings[0].Kind != ReportedMissing || r.Findings[0].Cause != UnknownCause {
				t.Errorf("findings: %+v", r.Findings)
			}
			if len(r.Files) != 1 || r.Files[0].Form != Availability || r.Files[0].Bad != 0 {
				t.Errorf("files: %+v", r.Files)
			}
		})
	}
}

// TestPageAndCLI: a page says what is missing, the gateway's log who took it,
// without any log of a manager.
func TestPageAndCLI(t *testing.T) {
	d := New(Options{Main: "192.0.2.94"})
	readText(t, d, "missing.txt", "192.0.2.64\tmx\t13 Feb 2023 20:16 (GMT +01:00)\t13 Feb 2023 20:19 (GMT +01:00)\n")
	readText(t, d, "cli.log", strings.ReplaceAll(`Mon Feb 13 20:19:29 2023 Info: PID 1: User smaduser login from 192.0.2.94 on 192.0.2.64
Mon Feb 13 20:19:29 2023 Info: PID 1: User smaduser executed batch command: 'ls -AF /export/tracking/'
Mon Feb 13 20:19:35 2023 Info: PID 2: User smaduser login from 192.0.2.92 on 192.0.2.64
Mon Feb 13 20:19:35 2023 Info: PID 2: User smaduser executed batch command: 'scp -f /export/tracking/NAME'
Mon Feb 13 20:19:38 2023 Info: PID 3: User smaduser login from 192.0.2.92 on 192.0.2.64
Mon Feb 13 20:19:38 2023 Info: PID 3: User smaduser executed batch command: 'rm /export/tracking/NAME'
`, "NAME", "tracking.@20230213T191631Z_20230213T191931Z.s.gz"))
	r := d.Report()
	if len(r.Findings) != 1 {
		t.Fatalf("findings: %+v", r.Findings)
	}
	f := r.Findings[0]
	if f.Kind != ReportedMissing || f.Window != "tracking.@20230213T191631Z_20230213T191931Z.s.gz" || f.Cause != TakenByOther || f.By != "192.0.2.92" || f.Confidence != High {
		t.Errorf("%+v", f)
	}
	if f.Evidence[0].File != "missing.txt" || len(f.Evidence) != 4 {
		t.Errorf("evidence: %+v", f.Evidence)
	}
}
