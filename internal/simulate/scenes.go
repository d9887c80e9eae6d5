package simulate

import (
	"slices"
	"time"
)

// Scene is what happens to a message on its way.
type Scene string

// The scenes. A message from outside that has to go through several gateways
// meets what happens at the last of them.
const (
	Plain          Scene = "plain"           // nothing special
	Several        Scene = "several"         // some recipients
	Alias          Scene = "alias"           // an address that stands for two
	Greylisted     Scene = "greylisted"      // the next hop takes it at the second attempt
	Unreachable    Scene = "unreachable"     // the next hop cannot be reached for a while
	Undeliverable  Scene = "undeliverable"   // refused for good, the sender gets a bounce
	Mixed          Scene = "mixed"           // one recipient gets it, one does not, one has to wait
	GivenUp        Scene = "given-up"        // deferred until its time is over
	MaybeDelivered Scene = "maybe-delivered" // the connection was lost after the end of data, the next attempt succeeds
	NeverCertain   Scene = "never-certain"   // so it is at every attempt
	OnHold         Scene = "on-hold"         // kept until somebody releases it
	Filtered       Scene = "filtered"        // goes through a content filter and comes back
	FromHere       Scene = "from-here"       // a program on the host hands it in
	Unwanted       Scene = "unwanted"        // a recipient that does not exist, or a client that is not welcome
	NotYet         Scene = "not-yet"         // a recipient that is refused for now
	BadContent     Scene = "bad-content"     // refused after the data
	CutOff         Scene = "cut-off"         // the client goes before the message is complete
	ThrownAway     Scene = "thrown-away"     // accepted and discarded by configuration
	HostileSubject Scene = "hostile-subject"
	HostileHELO    Scene = "hostile-helo"

	// Of the ESA alone.
	Infected    Scene = "infected"     // dropped by the anti-virus engine
	Footer      Scene = "footer"       // a filter rewrites it to a new MID
	TwoPolicies Scene = "two-policies" // its recipients have different policies, so it is split
	Archived    Scene = "archived"     // a filter makes a copy for an archive
	Suspicious  Scene = "suspicious"   // quarantined, and released later
	Spam        Scene = "spam"         // goes to the spam quarantine
)

// scene says where and how often one is played.
type scene struct {
	weight int
	mtas   []MTA // nil: all
	not    []MTA
	way    way
}

// way is the direction of a message.
type way int

const (
	either   way = iota
	incoming     // from outside to the own domain
	outgoing     // from the own domain to outside
)

func (s scene) on(m MTA) bool {
	return (s.mtas == nil || slices.Contains(s.mtas, m)) && !slices.Contains(s.not, m)
}

var scenes = map[Scene]scene{
	Plain:          {weight: 500},
	Several:        {weight: 70},
	Alias:          {weight: 25, mtas: []MTA{Postfix, Exim}, way: incoming},
	Greylisted:     {weight: 40, way: outgoing},
	Unreachable:    {weight: 15, way: outgoing},
	Undeliverable:  {weight: 30},
	Mixed:          {weight: 15, way: outgoing},
	GivenUp:        {weight: 6, way: outgoing},
	MaybeDelivered: {weight: 4, way: outgoing, mtas: []MTA{Postfix, Exim}},
	NeverCertain:   {weight: 1, way: outgoing, mtas: []MTA{Postfix, Exim}},
	OnHold:         {weight: 5, mtas: []MTA{Postfix, Exim}},
	Filtered:       {weight: 40, mtas: []MTA{Postfix}, way: incoming},
	FromHere:       {weight: 40, way: outgoing, not: []MTA{ESA}},
	Unwanted:       {weight: 120, way: incoming},
	NotYet:         {weight: 30, way: incoming, not: []MTA{ESA}},
	BadContent:     {weight: 15, way: incoming, mtas: []MTA{Postfix, Exim}},
	CutOff:         {weight: 8, way: incoming, mtas: []MTA{Postfix, ESA}},
	ThrownAway:     {weight: 6, way: incoming, mtas: []MTA{Postfix, Exim}},
	HostileSubject: {weight: 6, way: incoming},
	HostileHELO:    {weight: 4, way: incoming, mtas: []MTA{Postfix}},
	Infected:       {weight: 10, mtas: []MTA{ESA}, way: incoming},
	Footer:         {weight: 40, mtas: []MTA{ESA}},
	TwoPolicies:    {weight: 20, mtas: []MTA{ESA}, way: incoming},
	Archived:       {weight: 10, mtas: []MTA{ESA}, way: incoming},
	Suspicious:     {weight: 15, mtas: []MTA{ESA}, way: incoming},
	Spam:           {weight: 40, mtas: []MTA{ESA}, way: incoming},
}

// order of the scenes, because a map has none.
var order = func() []Scene {
	var all []Scene
	for s := range scenes {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}()

// Scenes are those that can be played on an MTA.
func Scenes(m MTA) []Scene {
	return slices.DeleteFunc(slices.Clone(order), func(s Scene) bool { return !scenes[s].on(m) })
}

// drawScene draws one that an MTA can play in a direction.
func (w *Site) drawScene(m MTA, to way) Scene {
	fits := func(s scene) bool { return s.on(m) && (s.way == either || s.way == to) }
	total := 0
	for _, name := range order {
		if s := scenes[name]; fits(s) {
			total += s.weight
		}
	}
	n := w.rnd.IntN(total)
	for _, name := range order {
		if s := scenes[name]; fits(s) {
			if n -= s.weight; n < 0 {
				return name
			}
		}
	}
	return Plain
}

// fate is what the last gateway on its way will see of a recipient.
type fate struct {
	fails   int     // attempts that fail for now before the end; below 0: all
	trouble trouble // why they fail
	end     Status  // Delivered, Bounced or Discarded
	reply   string  // that comes with a refusal for good
}

// trouble is why an attempt fails for now.
type trouble struct {
	reply   string // of the other server; "" when there was none
	connect string // why there was no connection; "" when there was one
	lost    bool   // the connection was lost after the end of data
}

var (
	greylist = trouble{reply: "450 4.7.1 <%s>: Recipient address rejected: Greylisted, try again in 5 minutes"}
	mailbox  = trouble{reply: "452 4.2.2 <%s>: Mailbox is full"}
	busy     = trouble{reply: "421 4.3.2 Too busy, try again later"}
	timedOut = trouble{connect: "Connection timed out"}
	refused  = trouble{connect: "Connection refused"}
	lostIt   = trouble{lost: true}
)

var noUser = []string{
	"550 5.1.1 <%s>: Recipient address rejected: User unknown",
	"550 5.2.1 <%s>: This mailbox is disabled",
	"554 5.7.1 <%s>: Message refused by policy",
}

// draw gives the recipients of a message their fates.
func (w *Site) draw(m *mail) {
	for i, r := range m.rcpts {
		r.fate = fate{end: Delivered}
		switch m.Scene {
		case Greylisted:
			r.fails, r.trouble = 1, greylist
		case Unreachable:
			r.fails, r.trouble = 1+w.rnd.IntN(4), pick(w, []trouble{timedOut, refused, busy})
		case Undeliverable:
			r.end, r.reply = Bounced, often(w, noUser)
		case GivenUp:
			r.fails, r.trouble = -1, pick(w, []trouble{timedOut, mailbox, refused})
		case MaybeDelivered:
			r.fails, r.trouble = 1, lostIt
		case NeverCertain:
			r.fails, r.trouble = -1, lostIt
		case ThrownAway:
			r.end = Discarded
		case Mixed:
			switch i % 3 {
			case 1:
				r.end, r.reply = Bounced, noUser[0]
			case 2:
				r.fails, r.trouble = 2, mailbox
			}
		}
	}
}

// traffic lets messages come from outside for as long as the site goes on.
func (w *Site) traffic() {
	if !w.o.Until.IsZero() && !w.now.Before(w.o.Until) {
		return
	}
	w.play(Cue{})
	w.after(w.gap(), w.traffic)
}

// gap is the time until the next message: it depends on the hour of the day,
// with most of the traffic at eleven and least at four in the night.
func (w *Site) gap() time.Duration {
	rate := w.o.Rate * dayCurve[w.now.In(w.hosts[0].Zone).Hour()] / 100
	return time.Duration(w.rnd.ExpFloat64() / rate * float64(time.Hour))
}

// dayCurve is the traffic of an hour in percent of the peak.
var dayCurve = [24]float64{44, 40, 38, 36, 35, 38, 45, 56, 72, 90, 98, 100, 90, 88, 95, 98, 92, 82, 70, 62, 58, 55, 52, 48}
