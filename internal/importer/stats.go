package importer

import "waybill/internal/maillog"

// since returns what was counted between two states of one parser.
func since(before, after maillog.Stats) maillog.Stats {
	s := after
	s.Lines -= before.Lines
	s.Blank -= before.Blank
	s.Headerless -= before.Headerless
	s.Foreign -= before.Foreign
	s.Cut -= before.Cut
	s.Repaired -= before.Repaired
	s.Dialects = nil
	for i, d := range after.Dialects {
		if i < len(before.Dialects) {
			b := before.Dialects[i]
			d.Parsed -= b.Parsed
			d.Ignored -= b.Ignored
			d.Unknown -= b.Unknown
			d.Samples = d.Samples[min(len(b.Samples), len(d.Samples)):]
		}
		s.Dialects = append(s.Dialects, d)
	}
	s.HeaderlessSamples = after.HeaderlessSamples[min(len(before.HeaderlessSamples), len(after.HeaderlessSamples)):]
	return s
}

// plus adds what was counted in between to a base, so that it does not count.
func plus(base, before, after maillog.Stats) maillog.Stats {
	d := since(before, after)
	base.Lines += d.Lines
	base.Blank += d.Blank
	base.Headerless += d.Headerless
	base.Foreign += d.Foreign
	base.Cut += d.Cut
	base.Repaired += d.Repaired
	base.Dialects = append([]maillog.DialectStats(nil), base.Dialects...)
	for i := range d.Dialects {
		base.Dialects[i].Parsed += d.Dialects[i].Parsed
		base.Dialects[i].Ignored += d.Dialects[i].Ignored
		base.Dialects[i].Unknown += d.Dialects[i].Unknown
	}
	return base
}
