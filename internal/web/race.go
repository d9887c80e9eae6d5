package web

import (
	"slices"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/safetext"
)

// raceView is a race as a drawing, a lane for each actor and a column for each
// moment, and as a table.
type raceView struct {
	Width, Height int
	Moments       []raceMoment
	Lanes         []raceLane
	Left          int // steps that the drawing has no room for
	Steps         []raceStep
}

type raceMoment struct {
	X            int
	After, Clock string
	Closed       bool
	Top, Bottom  int
}

type raceLane struct {
	Y, From, To int
	Name, Role  string
	Tone        string
	Marks       []raceMark
}

type raceMark struct {
	X, Y int
	Did  string
}

type raceStep struct{ Clock, After, Actor, Role, Did string }

// Measures of the drawing, in its own units: those of a text of 12 units, of
// which a letter is at most about letterWidth wide.
const (
	letterWidth = 7
	laneHeight  = 54
	laneTop     = 46
	laneEdge    = 14
	maxMoments  = 10
	maxLanes    = 8
	maxName     = 45 // letters of an actor's name: an IPv6 address has 39
)

// raceOf draws the race for the window of a finding. Columns are as wide as
// what stands in them, not in proportion to time: seconds and hours may be in
// one race. Where there is no room for all, those who raced come first.
func raceOf(f *doctor.Finding, zone *time.Location) *raceView {
	v := &raceView{}
	for _, s := range f.Race {
		_, role := partOf(s)
		v.Steps = append(v.Steps, raceStep{s.Time.In(zone).Format(time.TimeOnly), s.Since(), plain(s.Actor), role, didWords(s)})
	}
	runner := func(s doctor.Step) bool { return s.Main || s.Did == "closed" || s.Actor == f.By }
	var moments []int64
	var actors []string
	for _, first := range []bool{true, false} {
		for _, s := range f.Race {
			newMoment, newActor := !slices.Contains(moments, s.After), !slices.Contains(actors, s.Actor)
			if runner(s) != first || newMoment && len(moments) == maxMoments || newActor && len(actors) == maxLanes {
				continue
			}
			if newMoment {
				moments = append(moments, s.After)
			}
			if newActor {
				actors = append(actors, s.Actor)
			}
		}
	}
	slices.Sort(moments)
	v.Moments = make([]raceMoment, len(moments))
	lanes := make(map[string]int)
	for i, s := range f.Race {
		moment := slices.Index(moments, s.After)
		if moment < 0 || !slices.Contains(actors, s.Actor) {
			v.Left++
			continue
		}
		m := &v.Moments[moment]
		m.After, m.Clock = v.Steps[i].After, v.Steps[i].Clock
		m.Closed = m.Closed || s.Did == "closed"
		lane, known := lanes[s.Actor]
		if !known {
			lane = len(v.Lanes)
			lanes[s.Actor] = lane
			tone, role := partOf(s)
			v.Lanes = append(v.Lanes, raceLane{Name: safetext.Of(s.Actor).Short(maxName).String(), Role: role, Tone: tone})
		}
		l := &v.Lanes[lane]
		if k := slices.IndexFunc(l.Marks, func(m raceMark) bool { return m.X == moment }); k >= 0 {
			l.Marks[k].Did += ", " + didWords(s)
			continue
		}
		l.Marks = append(l.Marks, raceMark{X: moment, Did: didWords(s)})
	}
	v.measure()
	return v
}

// measure gives everything its place. Until now X is the number of a moment.
func (v *raceView) measure() {
	names := 0
	wide := make([]int, len(v.Moments))
	for i, m := range v.Moments {
		wide[i] = max(safetext.Width(m.After), safetext.Width(m.Clock))
	}
	for _, l := range v.Lanes {
		names = max(names, safetext.Width(l.Name), safetext.Width(l.Role))
		for _, m := range l.Marks {
			wide[m.X] = max(wide[m.X], safetext.Width(m.Did))
		}
	}
	x := 2*laneEdge + names*letterWidth
	from := x
	middle := make([]int, len(v.Moments))
	for i := range v.Moments {
		step := wide[i]*letterWidth + 18
		middle[i] = x + step/2
		x += step
	}
	v.Width, v.Height = x+laneEdge, laneTop+laneHeight*len(v.Lanes)+laneEdge
	for i := range v.Moments {
		m := &v.Moments[i]
		m.X, m.Top, m.Bottom = middle[i], laneTop, v.Height-8
	}
	for i := range v.Lanes {
		l := &v.Lanes[i]
		l.Y, l.From, l.To = laneTop+laneHeight*i+laneHeight/2, from, x
		for k := range l.Marks {
			l.Marks[k].X, l.Marks[k].Y = middle[l.Marks[k].X], l.Y
		}
	}
}

func didWords(s doctor.Step) string {
	if s.Did == "closed" {
		return "window closed"
	}
	return plain(s.Did)
}

// partOf is what an actor is to the race.
func partOf(s doctor.Step) (tone, role string) {
	switch {
	case s.Main:
		return "main", "main manager"
	case s.Did == "closed":
		return "gate", "gateway"
	}
	return "rival", "another collector"
}
