package syslog

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// sender is an address that is allowed and has sent.
type sender struct {
	limit  *rate.Limiter
	status SenderStatus
	told   Counts    // of what was last logged
	toldAt time.Time // and when
}

// idle is after which time without a line a sender may be forgotten.
const idle = 10 * time.Minute

// sender finds that of an address, nil when it is not allowed.
func (l *Listener) sender(a netip.Addr, at time.Time) *sender {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.senders[a]; x != nil {
		return x
	}
	if !l.o.allowed(a) {
		l.refuse(a, at)
		return nil
	}
	if len(l.senders) >= maxSenders {
		l.forget(at)
	}
	x := &sender{limit: rate.NewLimiter(rate.Limit(l.o.Rate), l.o.Burst), status: SenderStatus{First: at, Last: at}}
	if len(l.senders) < maxSenders {
		l.senders[a] = x
		return x
	}
	return l.other // whose rate all share that find no place
}

// forget makes room for senders. l.mu is held.
func (l *Listener) forget(at time.Time) {
	for a, x := range l.senders {
		if x.status.Connections == 0 && at.Sub(x.status.Last) > idle {
			delete(l.senders, a)
		}
	}
}

// refuse counts an address that is not allowed. l.mu is held.
func (l *Listener) refuse(a netip.Addr, at time.Time) {
	l.status.Refused++
	r := l.refused[a]
	if r == nil {
		if len(l.refused) >= maxRefusals {
			return
		}
		r = &Refusal{Address: a}
		l.refused[a] = r
	}
	r.Count++
	r.Last = at
}

// received makes a line of a message; false when it says nothing.
func (l *Listener) received(b []byte, cut bool, via string, from netip.Addr, x *sender, at time.Time) (Received, bool) {
	m, ok := read(b, origin{from: from, at: at, zone: l.o.Zone(from)})
	l.count(x, func(c *Counts) {
		if !ok {
			c.Malformed++
		} else if cut {
			c.TooLong++
		}
	})
	return Received{From: from, Via: via, Host: m.host, At: at, Written: m.at, Line: m.line}, ok
}

// accept notes a line that goes into the buffer, before anybody can have polled
// it.
func (l *Listener) accept(x *sender, r *Received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Received++
	l.status.LastHeard = r.At
	x.status.Received++
	x.status.Last = r.At
	if !r.Written.IsZero() {
		x.status.Skew = r.Written.Sub(r.At)
	}
}

// unaccept takes that back for a line that did not get in.
func (l *Listener) unaccept(x *sender) {
	l.count(x, func(c *Counts) { c.Received-- })
}

// tellEvery is how often the same complaint is logged.
const tellEvery = time.Minute

// tell logs what was lost since it was last told, a complaint a minute.
func (l *Listener) tell(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a, x := range l.senders {
		now := x.status.Counts
		limited, overflow, throttled := now.Limited-x.told.Limited, now.Overflow-x.told.Overflow, now.Throttled-x.told.Throttled
		if limited+overflow+throttled == 0 || at.Sub(x.toldAt) < tellEvery && at.After(x.toldAt) {
			continue
		}
		x.told, x.toldAt = now, at
		if limited > 0 {
			l.o.Log.Warn("syslog datagrams dropped: the sender is above its rate", "source", a.String(), "lines", limited)
		}
		if throttled > 0 {
			l.o.Log.Warn("syslog connection slowed down: the sender is above its rate", "source", a.String(), "times", throttled)
		}
		if overflow > 0 {
			l.o.Log.Warn("syslog datagrams dropped: the buffer is full", "source", a.String(), "lines", overflow)
		}
	}
	if n := l.status.Kernel - l.told.kernel; n > 0 && at.Sub(l.told.kernelAt) >= tellEvery {
		l.told.kernel, l.told.kernelAt = l.status.Kernel, at
		l.o.Log.Warn("syslog datagrams dropped by the kernel: the socket's buffer was full", "lines", n,
			"hint", "raise net.core.rmem_max, or let the senders use TCP")
	}
	if n := l.status.Refused - l.told.refused; n > 0 && at.Sub(l.told.refusedAt) >= tellEvery {
		l.told.refused, l.told.refusedAt = l.status.Refused, at
		last := Refusal{}
		for _, r := range l.refused {
			if r.Last.After(last.Last) {
				last = *r
			}
		}
		l.o.Log.Warn("syslog refused: the address is not among those allowed", "source", last.Address.String(), "times", n)
	}
}
