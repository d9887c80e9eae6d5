package window

import (
	"errors"
	"testing"

	"waybill/internal/track"
)

func TestParseName(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   string
		want Name // zero: want ErrName
	}{{
		name: "as documented",
		in:   "tracking.@20230213T191631Z_20230213T191931Z.s.gz",
		want: Name{at("2023-02-13T19:16:31Z"), at("2023-02-13T19:19:31Z"), true},
	}, {
		name: "across midnight",
		in:   "tracking.@20230213T235831Z_20230214T000131Z.s",
		want: Name{at("2023-02-13T23:58:31Z"), at("2023-02-14T00:01:31Z"), false},
	}, {
		name: "still being written", in: ".tracking.@20230213T191631Z_20230213T191931Z.s.gz",
	}, {
		name: "other extension", in: "tracking.@20230213T191631Z_20230213T191931Z.s.xz",
	}, {
		name: "no extension", in: "tracking.@20230213T191631Z_20230213T191931Z",
	}, {
		name: "compressed twice", in: "tracking.@20230213T191631Z_20230213T191931Z.s.gz.gz",
	}, {
		name: "reversed", in: "tracking.@20230213T191931Z_20230213T191631Z.s",
	}, {
		name: "empty interval", in: "tracking.@20230213T191631Z_20230213T191631Z.s",
	}, {
		name: "no such day", in: "tracking.@20230231T191631Z_20230231T191931Z.s",
	}, {
		name: "local time", in: "tracking.@20230213T191631_20230213T191931.s",
	}, {
		name: "fraction", in: "tracking.@20230213T191631.5Z_20230213T191931Z.s",
	}, {
		name: "path", in: "a/tracking.@20230213T191631Z_20230213T191931Z.s",
	}, {
		name: "three times", in: "tracking.@20230213T191631Z_20230213T191931Z_20230213T192931Z.s",
	}, {
		name: "empty", in: "",
	}} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseName(tc.in)
			if tc.want == (Name{}) {
				if !errors.Is(err, ErrName) {
					t.Fatalf("ParseName(%q) = %v, %v; want ErrName", tc.in, got, err)
				}
				return
			}
			if err != nil || got != tc.want || got.String() != tc.in {
				t.Fatalf("ParseName(%q) = %v, %v; want %v", tc.in, got, err, tc.want)
			}
		})
	}
}

func TestNameOf(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"2023-02-13T19:16:31Z", "2023-02-13T19:19:31Z", "tracking.@20230213T191631Z_20230213T191931Z.s"},
		{"2023-02-13T19:16:31.9Z", "2023-02-13T19:19:30.1Z", "tracking.@20230213T191631Z_20230213T191931Z.s"},
		{"2023-02-13T19:16:31Z", "2023-02-13T19:16:31Z", "tracking.@20230213T191631Z_20230213T191632Z.s"},
	} {
		n := NameOf(track.Interval{From: stamp(tc.from), To: stamp(tc.to)}, false)
		if n.String() != tc.want {
			t.Errorf("NameOf(%s, %s) = %s, want %s", tc.from, tc.to, n, tc.want)
		}
	}
	if n := NameOf(track.Interval{}, true); n.String() != "tracking.@19700101T000000Z_19700101T000001Z.s.gz" {
		t.Errorf("unknown interval: %s", n)
	}
}

func FuzzName(f *testing.F) {
	f.Add("tracking.@20230213T191631Z_20230213T191931Z.s.gz")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseName(s); err == nil && n.String() != s {
			t.Fatalf("%q reads as %q", s, n)
		}
	})
}
