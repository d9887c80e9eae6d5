package web

import (
	"strconv"
	"time"

	"waybill/internal/search"
)

// trafficView is how much there was in each period: a chart, and the same as a
// table.
type trafficView struct {
	Title    string
	Columns  []columnView
	Peak     string
	PeakAt   string
	From, To string
	Rejects  bool
	Gaps     bool
	Undated  string
	Unit     string
}

// columnView is a period. Places and lengths are in percent of the chart.
type columnView struct {
	URL, RejectURL        string
	When                  string
	Messages, Rejections  string
	Size                  string
	Incomplete            bool
	Left, Room            string // of all that belongs to the period
	X, Width              string // of what is drawn
	Y, Height             string // of the messages
	RejectY, RejectHeight string
	Title                 string
}

func (c *counted) traffic() *trafficView {
	t := &c.sum.Traffic
	n := len(t.Periods)
	if n < 2 {
		return nil
	}
	layout := map[string]string{"hour": "Mon 2 Jan 15:04", "day": "Mon 2 Jan 2006", "month": "Jan 2006", "year": "2006"}[t.Unit]
	v := &trafficView{Unit: t.Unit, Title: "Messages in each " + t.Unit}
	most, peak := 0, 0
	for i, p := range t.Periods {
		if x := p.Messages + p.Rejections; x > most {
			most, peak = x, i
		}
	}
	when := func(p search.Period) string { return p.From.Time().In(c.Zone).Format(layout) }
	v.Peak, v.PeakAt = number(most), when(t.Periods[peak])
	v.From, v.To = when(t.Periods[0]), when(t.Periods[n-1])
	if t.Undated > 0 {
		v.Undated = number(t.Undated) + " of unknown time"
	}
	for i, p := range t.Periods {
		x := columnView{When: when(p), Messages: number(p.Messages), Rejections: orNone(p.Rejections), Incomplete: p.Incomplete}
		if p.Bytes > 0 {
			x.Size = bytesWords(p.Bytes)
		}
		x.URL = c.period(p, c.query)
		if p.Rejections > 0 {
			x.RejectURL = c.period(p, ofKind(c.query, "rejection"))
			v.Rejects = true
		}
		v.Gaps = v.Gaps || p.Incomplete
		x.Title = x.When + ": " + x.Messages + " " + words(p.Messages, "message", "messages")
		if p.Rejections > 0 {
			x.Title += ", " + x.Rejections + " " + words(p.Rejections, "rejection", "rejections")
		}
		if p.Incomplete {
			x.Title += ", a part of the log is missing"
		}
		m, r := height(p.Messages, most), height(p.Rejections, most)
		x.Left, x.Room = percent(i, n), percent(1, n)
		x.X, x.Width = percent(10*i+1, 10*n), percent(8, 10*n)
		x.Y, x.Height = tenths(1000-m), tenths(m)
		x.RejectY, x.RejectHeight = tenths(1000-m-r), tenths(r)
		v.Columns = append(v.Columns, x)
	}
	return v
}

// period is the search for what came in a period, as far as the question
// reaches into it.
func (c *counted) period(p search.Period, q search.Query) string {
	q = withoutTimes(q)
	from, to := p.From, p.To
	cov := &c.sum.Coverage
	if len(q.Terms) < len(c.query.Terms) { // the question has a range
		if cov.From > from {
			from = cov.From
		}
		if cov.To != 0 && cov.To < to {
			to = cov.To
		}
	}
	f := q.Form()
	f.From = from.Time().In(c.Zone).Truncate(time.Second).Format(time.RFC3339)
	f.To = to.Time().In(c.Zone).Add(time.Second - 1).Truncate(time.Second).Format(time.RFC3339)
	q, err := f.Query()
	if err != nil {
		return ""
	}
	return c.link(q)
}

// height is how high n stands in a chart, in tenths of a percent; whatever is
// not nothing is seen.
func height(n, most int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(10, n*1000/most)
}

func tenths(n int) string { return strconv.FormatFloat(float64(max(0, n))/10, 'f', -1, 64) }
