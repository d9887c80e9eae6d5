package syslog

import (
	"net/netip"
	"testing"
	"time"
)

func BenchmarkRead(b *testing.B) {
	const words = " mx-a postfix/smtpd[41]: 4BZk9f0Q2Vz1qz: client=mail.src.test[192.0.2.7]"
	for name, text := range map[string]string{"3164": "<22>Nov 21 20:45:32" + words, "iso": "<22>2026-11-21T20:45:32.123456+01:00" + words,
		"5424": "<22>1 2026-11-21T20:45:32.123456+01:00 mx-a postfix/smtpd 41 - - 4BZk9f0Q2Vz1qz: client=mail.src.test[192.0.2.7]"} {
		b.Run(name, func(b *testing.B) {
			o := origin{from: netip.MustParseAddr("192.0.2.9"), at: time.Date(2026, 11, 21, 19, 45, 33, 0, time.UTC), zone: location(b, "Europe/Paris")}
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := read([]byte(text), o); !ok {
					b.Fatal(text)
				}
			}
		})
	}
}
