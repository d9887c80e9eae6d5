package coverage

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"waybill/internal/track"
	"waybill/internal/window"
)

// Facts are what causes follow from. All of one gateway.
type Facts struct {
	Journal    []Record        // of smad, around the gaps
	Quarantine []Quarantined   // of smad and trackerd
	Queued     []string        // files that were pulled and wait for trackerd
	Taken      map[string]bool // names of files that were taken, as far as they are known
	// Local: there is no smad; what is missing was never sealed here.
	Local bool
}

// Evidence is a fact behind a cause.
type Evidence struct {
	Time  time.Time `json:"time,omitzero"`
	From  string    `json:"from"` // smad, gateway, quarantine
	Event string    `json:"event"`
	File  string    `json:"file,omitempty"`
	Who   string    `json:"who,omitempty"`
	Text  string    `json:"text,omitempty"` // from outside in part
}

// Sources of evidence.
const (
	fromSmad       = "smad"
	fromGateway    = "gateway"
	fromQuarantine = "quarantine"
)

// Explain says why each gap is, as far as facts tell it. Where windows of a gap
// have different fates it becomes several gaps. A tracking file in quarantine
// that contradicts one that was taken becomes a gap of its own.
func Explain(p Proof, f Facts) Proof {
	x := newExplainer(&p, f)
	var out []Gap
	for _, g := range p.Gaps {
		switch {
		case g.Cause != Unknown:
			out = append(out, g)
		case g.tail:
			out = append(out, x.behind(g)...)
		default:
			out = append(out, x.split(g)...)
		}
	}
	out = append(out, x.strays()...)
	out = append(out, x.contradictions()...)
	var spans []Span
	for _, s := range p.Spans {
		if s.State.Proved() {
			spans = append(spans, s)
		}
	}
	p.Gaps = mergeGaps(out)
	for _, g := range p.Gaps {
		spans = append(spans, Span{g.Interval, g.State})
	}
	p.Spans = flatten(spans, p.Extent.From)
	return p
}

type explainer struct {
	proof *Proof
	facts Facts
	fates []*fate // by time
	looks []Record
	fails []Record
}

func newExplainer(p *Proof, f Facts) *explainer {
	x := &explainer{proof: p, facts: f}
	byName := map[string]*fate{}
	of := func(file string) *fate {
		t, ok := byName[file]
		if !ok {
			if n, err := window.ParseName(file); err == nil && !f.Taken[file] {
				t = &fate{file: file, span: n.Interval()}
				x.fates = append(x.fates, t)
			}
			byName[file] = t
		}
		return t
	}
	for _, r := range f.Journal {
		switch r.Event {
		case "connected", "listed", "pulled", "acknowledged":
			if !r.Again {
				x.looks = append(x.looks, r)
			}
		case "failed":
			x.fails = append(x.fails, r)
		}
		if t := of(r.File); t != nil {
			t.records = append(t.records, r)
		}
		for _, e := range r.Evidence {
			if t := of(cmp.Or(e.File, r.File)); t != nil {
				t.exports = append(t.exports, e)
			}
		}
	}
	for _, q := range f.Quarantine {
		// A file that conflicts has the name of one that was taken.
		if t := of(q.File); t != nil {
			t.set = append(t.set, q)
		}
	}
	for _, name := range f.Queued {
		if t := of(name); t != nil {
			t.queued = true
		}
	}
	byTime := func(a, b Record) int { return a.Time.Compare(b.Time) }
	slices.SortStableFunc(x.looks, byTime)
	slices.SortStableFunc(x.fails, byTime)
	for _, t := range x.fates {
		slices.SortStableFunc(t.records, byTime)
		slices.SortStableFunc(t.exports, func(a, b Export) int { return a.Time.Compare(b.Time) })
	}
	slices.SortFunc(x.fates, func(a, b *fate) int {
		return cmp.Or(cmp.Compare(a.span.From, b.span.From), cmp.Compare(a.file, b.file))
	})
	return x
}

// split deals a gap out among the files that are known of it; what is left has
// the fate that the journal tells of that time.
func (x *explainer) split(g Gap) []Gap {
	var of []*fate
	for _, t := range x.fates {
		if t.span.From >= g.To {
			break
		}
		if t.within(g.Interval) && (g.Windows == 0 || len(of) < g.Windows) {
			of = append(of, t)
		}
	}
	if len(of) == 0 {
		return x.unnamed(g)
	}
	left := g.Windows - len(of) // windows of which no file is known
	var out []Gap
	at := g.From
	for i, t := range of {
		t.used = true
		end := t.span.To
		if left <= 0 && g.Windows > 0 { // all are known: they share the gap
			end = g.To
			if i+1 < len(of) {
				end = of[i+1].span.From
			}
		} else if t.span.From > at {
			out = append(out, x.rest(g, at, t.span.From, &left)...)
			at = t.span.From
		}
		end = min(max(end, at), g.To)
		piece := g
		piece.Interval, piece.Windows, piece.tail = track.Interval{From: at, To: end}, 1, false
		x.judge(&piece, t)
		if end > at {
			out = append(out, piece)
		}
		at = end
	}
	if at < g.To {
		out = append(out, x.rest(g, at, g.To, &left)...)
	}
	return out
}

// rest is a part of a gap of which no file is known.
func (x *explainer) rest(g Gap, from, to track.Stamp, left *int) []Gap {
	g.Interval = track.Interval{From: from, To: to}
	n := 0
	if each := x.proof.Length; each > 0 && g.Windows > 0 {
		n = min(*left, max(1, int((to.Sub(from)+each/2)/each)))
	}
	*left -= n
	g.Windows = n
	return x.unnamed(g)
}

// judge says what became of one file.
func (x *explainer) judge(g *Gap, t *fate) {
	g.sealed, g.Detail, g.Recoverable = 1, "", false
	pulled, acknowledged := t.has("pulled"), t.has("acknowledged")
	if pulled || t.queued || len(t.set) > 0 {
		g.pulled = 1
	}
	takenBy := t.others(pulled)
	for _, e := range t.exports {
		g.evidence(Evidence{Time: e.Time, From: fromGateway, Event: e.Event, File: t.file, Who: who(e.Name, e.Address, e.Collector), Text: e.Reason})
	}
	switch {
	case len(t.set) > 0:
		q := t.set[len(t.set)-1]
		g.cause(q.Cause, High, "it is in quarantine")
		g.Recoverable = q.Cause == Conflict || !acknowledged && t.last("expired", "removed") == nil
		g.evidence(Evidence{Time: q.Time, From: fromQuarantine, Event: string(q.Cause), File: t.file, Text: q.Reason})
	case t.queued:
		g.State, g.Recoverable = Late, true
		g.cause(Unknown, None, "it was pulled and waits to be taken")
	case t.last("expired") != nil:
		g.cause(Expired, High, "the gateway had to give it up before it was collected")
		g.Recoverable, g.By = takenBy != "", takenBy
	case takenBy != "":
		g.cause(TakenByOther, High, "another collector took it")
		g.Recoverable, g.By = true, takenBy
	case t.ended() == "vanished":
		r := t.record("vanished")
		g.cause(TakenByOther, Medium, "it was listed, and gone when it was to be copied")
		g.By, g.Recoverable = r.Remote, r.Remote != ""
		g.evidence(smadEvidence(r))
	case t.ended() == "damaged", t.ended() == "quarantined":
		r := t.record(t.ended())
		g.cause(Damaged, High, "it was damaged when it arrived")
		g.Recoverable = !acknowledged
		g.evidence(smadEvidence(r))
	case t.ended() == "failed":
		r := t.record("failed")
		g.cause(TransferFailed, High, "it could not be copied")
		g.Recoverable = true
		g.evidence(smadEvidence(r))
	case pulled || acknowledged:
		g.cause(Unknown, Low, "it was pulled, and is neither in the store nor in quarantine")
		g.Recoverable = !acknowledged
	default:
		g.State, g.Recoverable = Late, true
		g.cause(Unknown, None, "the gateway has it, and it was not copied yet")
		if r := x.failedSince(t); r != nil {
			g.State = Missing
			g.cause(TransferFailed, Medium, "the gateway could not be reached since it was listed")
			g.evidence(smadEvidence(r))
		}
	}
}

// maxSlots bounds the parts into which a gap is divided.
const maxSlots = 2000

// unnamed says what became of windows of which no file is known, of each by
// itself: what the manager did at the time may change within a long gap.
func (x *explainer) unnamed(g Gap) []Gap {
	if x.facts.Local || len(x.facts.Journal) == 0 {
		return []Gap{g}
	}
	slots := min(max(g.Windows, 1), maxSlots)
	each := (g.To - g.From) / track.Stamp(slots)
	if slots == 1 || each <= 0 {
		return []Gap{x.slot(g)}
	}
	var out []Gap
	left := g.Windows
	for i := range slots {
		s := g
		s.From = g.From + track.Stamp(i)*each
		if s.To = s.From + each; i == slots-1 {
			s.To = g.To
		}
		s.Windows = left / (slots - i)
		left -= s.Windows
		out = append(out, x.slot(s))
	}
	return mergeGaps(out)
}

// slot says what the journal tells of one window.
func (x *explainer) slot(g Gap) Gap {
	far := max(10*time.Minute, 2*x.proof.Length)
	if look := x.lookedIn(g.To, g.To.Add(far)); look != nil {
		g.evidence(smadEvidence(look))
		if g.hole {
			if x.lookedIn(g.From, g.To) != nil {
				g.cause(NeverProduced, Medium, "the gateway started anew, without its state, and had nothing to collect before")
			}
			return g
		}
		g.cause(TakenByOther, Low, "the gateway made it, and had none when it was asked: somebody else may have taken it first")
		return g
	}
	if fail := x.failedIn(g.From, g.To.Add(far)); fail != nil {
		g.cause(TransferFailed, Medium, "the gateway could not be reached at the time")
		g.evidence(smadEvidence(fail))
		return g
	}
	g.Detail = cmp.Or(g.Detail, "nobody asked the gateway at the time")
	return g
}

// behind says what is known of the time behind the newest window.
func (x *explainer) behind(g Gap) []Gap {
	var out []Gap
	at := g.From
	for _, t := range x.fates { // what is on its way
		if t.span.From < at-track.Stamp(x.proof.Length/(2*time.Microsecond)) || t.span.From >= g.To || t.used || t.span.To <= at {
			continue
		}
		t.used = true
		if t.span.From > at && t.span.From.Sub(at) >= x.proof.Length/2 {
			rest := g
			rest.Interval, rest.Windows, rest.tail, rest.State, rest.Detail = track.Interval{From: at, To: t.span.From}, 0, false, Missing, ""
			out = append(out, x.unnamed(rest)...)
			at = t.span.From
		}
		piece := g
		piece.Interval, piece.Windows, piece.tail, piece.State = track.Interval{From: at, To: min(t.span.To, g.To)}, 1, false, Missing
		x.judge(&piece, t)
		out = append(out, piece)
		at = piece.To
	}
	if at >= g.To {
		return out
	}
	g.From = at
	g.Windows = 0
	if x.proof.Length > 0 {
		g.Windows = int(g.To.Sub(at) / x.proof.Length)
	}
	due := at.Add(x.proof.Length + max(x.proof.Length, 2*time.Minute))
	switch {
	case g.To <= due || x.facts.Local:
	case x.lookedIn(due, 0) != nil:
		g.cause(NeverProduced, Low, "the gateway answers, and has sealed nothing since: is qlogd at work?")
		g.evidence(smadEvidence(x.lookedIn(due, 0)))
	case x.failedIn(at, 0) != nil:
		r := &x.fails[len(x.fails)-1]
		g.cause(TransferFailed, High, "the gateway cannot be reached")
		g.evidence(smadEvidence(r))
	default:
		g.State, g.Detail = Unseen, "nobody asked the gateway since"
	}
	return append(out, g)
}

// strays are files that are known to have come to nothing although the chain
// has no gap for them: the clock was set back, and other windows cover the time.
func (x *explainer) strays() []Gap {
	var out []Gap
	for _, t := range x.fates {
		if x.facts.Taken == nil || t.used || len(t.set) > 0 || t.queued {
			continue
		}
		switch t.ended() {
		case "vanished", "damaged", "quarantined":
		default:
			continue
		}
		iv := track.Interval{From: max(t.span.From, x.proof.Extent.From), To: min(t.span.To, x.proof.Extent.To)}
		if iv.From >= iv.To {
			continue
		}
		g := Gap{Gateway: x.proof.Gateway, Interval: iv, State: Missing, Windows: 1}
		t.used = true
		x.judge(&g, t)
		out = append(out, g)
	}
	return out
}

// contradictions are files in quarantine that another content stands against.
func (x *explainer) contradictions() []Gap {
	var out []Gap
	for _, q := range x.facts.Quarantine {
		n, err := window.ParseName(q.File)
		if err != nil || q.Cause != Conflict {
			continue
		}
		if i := slices.IndexFunc(x.fates, func(t *fate) bool { return t.file == q.File && t.used }); i >= 0 {
			continue
		}
		iv := n.Interval()
		iv.From, iv.To = max(iv.From, x.proof.Extent.From), min(iv.To, x.proof.Extent.To)
		if iv.From >= iv.To {
			continue
		}
		g := Gap{Gateway: x.proof.Gateway, Interval: iv, State: Unseen, Recoverable: true}
		g.cause(Conflict, High, fmt.Sprintf("two contents of one window: %s was taken, %s is in quarantine", short(q.Stored), short(q.Digest)))
		g.evidence(Evidence{Time: q.Time, From: fromQuarantine, Event: string(Conflict), File: q.File, Text: q.Reason})
		out = append(out, g)
	}
	return out
}

func short(digest string) string { return cmp.Or(digest[:min(len(digest), 12)], "another") }

func (g *Gap) cause(c Cause, how Confidence, detail string) {
	g.Cause, g.Confidence, g.Detail = c, how, detail
}

func (g *Gap) evidence(e Evidence) {
	if len(g.Evidence) < maxEvidence {
		g.Evidence = append(slices.Clip(g.Evidence), e)
	}
}

func smadEvidence(r *Record) Evidence {
	return Evidence{Time: r.Time, From: fromSmad, Event: r.Event, File: r.File, Who: r.Remote, Text: r.Reason}
}
