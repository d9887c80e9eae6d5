package record

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"waybill/internal/track"
)

// Fields of a recipient.
const (
	rAddress  = 1
	rOriginal = 2
	rRoute    = 3
	rStatus   = 4
	rOutcome  = 5 // one more than the status; absent when it is the status
	rTime     = 6 // difference to the message's last event
	rNoTime   = 7
	rAttempts = 8 // absent: 1
	rRelay    = 9
	rRelayIP  = 10 // absent: the one in the relay
	rPort     = 11 // one more than the port; absent: the one in the relay
	rDSN      = 12
	rResponse = 13 // with holes
	rPlain    = 14 // response without holes
	rTLS      = 15
	rMaybe    = 16
	rNextID   = 17
	rPath     = 18 // number of a string that has status, DSN, relay and response, see path
	rDCID     = 19
)

func (w *writer) rcpt(m *track.Message, r *track.Rcpt) {
	w.address(rAddress, r.Address)
	if r.Original != "" {
		w.address(rOriginal, r.Original)
	}
	w.str(rRoute, r.Route)
	pattern, holes := respond(m, r)
	known := w.path(r, pattern, holes)
	if !known {
		w.num(rStatus, uint64(r.Status))
		w.str(rRelay, r.Relay)
		w.str(rDSN, r.DSN)
		switch {
		case pattern == "":
		case holes:
			w.put(rResponse, pattern, false)
		default:
			w.str(rPlain, pattern)
		}
	}
	if r.Outcome != r.Status {
		w.num(rOutcome, uint64(r.Outcome)+1)
	}
	if r.Time == 0 {
		w.num(rNoTime, 1)
	} else {
		w.num(rTime, packTime(int64(r.Time-m.Last)))
	}
	if r.Attempts != 1 { // stored one more, so that 0 is not absent
		w.num(rAttempts, uint64(max(r.Attempts, 0))+1)
	}
	ip, port := relayParts(r.Relay)
	if r.RelayIP != ip {
		w.put(rRelayIP, r.RelayIP, false)
	}
	if r.RelayPort != port {
		w.num(rPort, uint64(max(r.RelayPort, 0))+1)
	}
	w.num(rDCID, r.DCID)
	w.queueID(rNextID, r.NextID)
	w.tls(rTLS, r.TLS)
	if r.Uncertain {
		w.num(rMaybe, 1)
	}
}

func (r *reader) rcpt(m *track.Message) track.Rcpt {
	in := reader{b: r.bytes(), dict: r.dict}
	x := track.Rcpt{Attempts: 1, Time: m.Last}
	ip, port := false, false
	outcome, pattern := false, ""
	for {
		field, form, ok := in.next()
		if !ok {
			break
		}
		switch field {
		case rAddress:
			x.Address = in.str(form)
		case rOriginal:
			x.Original = in.str(form)
		case rRoute:
			x.Route = in.str(form)
		case rPath:
			var ok bool
			if pattern, ok = readPath(&x, in.str(form)); !ok {
				in.fail("path")
			}
		case rStatus:
			x.Status = track.Status(in.num(form))
		case rOutcome:
			x.Outcome, outcome = track.Status(in.num(form)-1), true
		case rTime:
			x.Time = m.Last + track.Stamp(unpackTime(in.num(form)))
		case rNoTime:
			in.num(form)
			x.Time = 0
		case rAttempts:
			x.Attempts = int(in.num(form)) - 1
		case rRelay:
			x.Relay = in.str(form)
		case rRelayIP:
			x.RelayIP, ip = in.str(form), true
		case rPort:
			x.RelayPort, port = int(in.num(form))-1, true
		case rDSN:
			x.DSN = in.str(form)
		case rResponse:
			pattern = in.str(form)
		case rPlain:
			x.Response = in.str(form)
		case rTLS:
			x.TLS = in.tls(form)
		case rMaybe:
			x.Uncertain = in.num(form) != 0
		case rDCID:
			x.DCID = in.num(form)
		case rNextID:
			x.NextID = in.queueID(form)
		default:
			in.skip(form)
		}
	}
	if in.err != nil {
		r.fail("recipient")
	}
	wantIP, wantPort := relayParts(x.Relay)
	if !ip {
		x.RelayIP = wantIP
	}
	if !port {
		x.RelayPort = wantPort
	}
	if !outcome {
		x.Outcome = x.Status
	}
	if pattern != "" {
		x.Response = fillHoles(pattern, &x, m)
	}
	return x
}

// relayParts are the address and the port in "name[ip]:port".
func relayParts(relay string) (ip string, port int) {
	open := strings.IndexByte(relay, '[')
	if open < 0 {
		return "", 0
	}
	ip, rest, ok := strings.Cut(relay[open+1:], "]")
	if !ok {
		return "", 0
	}
	if p, ok := strings.CutPrefix(rest, ":"); ok {
		if n, err := strconv.Atoi(p); err == nil && n > 0 && n < 65536 {
			port = n
		}
	}
	return ip, port
}

// Holes in a response: what differs from message to message is known already.
const (
	holeNext = "\x00"
	holeAddr = "\x01"
	holeMsg  = "\x02"
)

// respond cuts what differs out of a response.
func respond(m *track.Message, r *track.Rcpt) (s string, holes bool) {
	s = r.Response
	if s == "" || strings.ContainsAny(s, holeNext+holeAddr+holeMsg) {
		return s, false
	}
	if r.NextID != "" {
		s = strings.Replace(s, r.NextID, holeNext, 1)
	}
	if len(m.MessageID) > 2 {
		s = strings.Replace(s, m.MessageID, holeMsg, 1)
	}
	if len(r.Address) > 2 {
		s = strings.Replace(s, r.Address, holeAddr, 1)
	}
	return s, s != r.Response
}

// path writes what came of an attempt as one number, if it came before. It
// reports whether it did.
func (w *writer) path(r *track.Rcpt, pattern string, holes bool) bool {
	var buf [400]byte
	b := append(buf[:0], byte(r.Status), 0)
	if holes {
		b[1] = 1
	}
	for _, s := range [...]string{r.DSN, r.Relay} {
		if len(s) > 127 {
			return false
		}
		b = append(append(b, byte(len(s))), s...)
	}
	if len(b)+len(pattern) > len(buf) {
		return false
	}
	n, ok := w.dict.InternSeen(append(b, pattern...))
	if ok {
		w.tag(rPath, wireDict)
		w.b = binary.AppendUvarint(w.b, uint64(n))
	}
	return ok
}

// readPath undoes path; the pattern is returned, holes or not.
func readPath(x *track.Rcpt, s string) (pattern string, ok bool) {
	if len(s) < 2 {
		return "", false
	}
	x.Status = track.Status(s[0])
	holes := s[1] == 1
	s = s[2:]
	for _, to := range [...]*string{&x.DSN, &x.Relay} {
		if len(s) == 0 || len(s) <= int(s[0]) {
			return "", false
		}
		n := int(s[0])
		*to, s = s[1:1+n], s[1+n:]
	}
	if holes {
		return s, true
	}
	x.Response = s
	return "", true
}

func fillHoles(s string, r *track.Rcpt, m *track.Message) string {
	s = strings.Replace(s, holeAddr, r.Address, 1)
	s = strings.Replace(s, holeMsg, m.MessageID, 1)
	return strings.Replace(s, holeNext, r.NextID, 1)
}

func (w *writer) link(m *track.Message, l *track.Link) {
	w.queueID(1, l.QueueID)
	w.num(2, uint64(l.Relation))
	if l.Parent {
		w.num(3, 1)
	}
	if l.Time == 0 {
		w.num(4, 1)
	} else {
		w.num(5, packTime(int64(l.Time-m.Last)))
	}
	w.num(6, uint64(l.Rcpt+1))
}

func (r *reader) link(m *track.Message) track.Link {
	in := reader{b: r.bytes(), dict: r.dict}
	l := track.Link{Rcpt: -1, Time: m.Last}
	for {
		field, form, ok := in.next()
		if !ok {
			break
		}
		switch field {
		case 1:
			l.QueueID = in.queueID(form)
		case 2:
			l.Relation = track.Relation(in.num(form))
		case 3:
			l.Parent = in.num(form) != 0
		case 4:
			in.num(form)
			l.Time = 0
		case 5:
			l.Time = m.Last + track.Stamp(unpackTime(in.num(form)))
		case 6:
			l.Rcpt = int(in.num(form)) - 1
		default:
			in.skip(form)
		}
	}
	if in.err != nil {
		r.fail("link")
	}
	return l
}

// part writes a fragment; of a message with one most of it is the message's.
func (w *writer) part(m *track.Message, p *Part) {
	var bits uint64
	same := p.MID == m.MID && p.First == m.Time && p.Last == m.Last
	for i, set := range [...]bool{p.Born, p.Soft, p.HasID, p.Ended, p.Instance == m.Instance, same} {
		if set {
			bits |= 1 << i
		}
	}
	if p.Aborted {
		bits |= 1 << 12
	}
	if p.Sum != 0 {
		bits |= 1 << 13
	}
	if p.Lasting {
		bits |= 1 << 14
	}
	w.b = binary.AppendUvarint(w.b, bits|uint64(p.FirstPhase)<<6|uint64(p.LastPhase)<<9)
	if !same {
		w.b = binary.AppendVarint(w.b, int64(p.MID-m.MID))
		w.b = binary.AppendUvarint(w.b, packTime(int64(p.First-m.Time)))
		w.b = binary.AppendUvarint(w.b, packTime(int64(p.Last-m.Last)))
	}
	if p.Instance != m.Instance {
		w.b = binary.AppendUvarint(w.b, uint64(len(p.Instance)))
		w.b = append(w.b, p.Instance...)
	}
	w.b = binary.AppendUvarint(w.b, uint64(p.Events))
	if p.Sum != 0 {
		w.b = binary.AppendUvarint(w.b, uint64(p.Sum))
	}
	for _, ref := range p.Refs {
		w.b = binary.AppendUvarint(w.b, uint64(ref.Block))
		w.b = binary.AppendUvarint(w.b, uint64(ref.Index))
	}
}

func (r *reader) part(m *track.Message) Part {
	in := reader{b: r.bytes()}
	bits := in.uvarint()
	var p Part
	p.Born, p.Soft, p.HasID, p.Ended, p.Aborted = bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&(1<<12) != 0
	p.Lasting = bits&(1<<14) != 0
	p.FirstPhase, p.LastPhase = track.LifePhase(bits>>6&7), track.LifePhase(bits>>9&7)
	p.MID, p.First, p.Last = m.MID, m.Time, m.Last
	if bits&32 == 0 {
		u := in.uvarint()
		p.MID = m.MID + uint64(int64(u>>1)^-int64(u&1))
		p.First = m.Time + track.Stamp(unpackTime(in.uvarint()))
		p.Last = m.Last + track.Stamp(unpackTime(in.uvarint()))
	}
	p.Instance = m.Instance
	if bits&16 == 0 {
		p.Instance = string(in.bytes())
	}
	p.Events = int(in.uvarint())
	if bits&(1<<13) != 0 {
		p.Sum = uint32(in.uvarint())
	}
	for len(in.b) > 0 && in.err == nil {
		p.Refs = append(p.Refs, Ref{Block: int64(in.uvarint()), Index: int(in.uvarint())})
	}
	if in.err != nil {
		r.fail("part")
	}
	return p
}

func (r *reader) client(m *track.Message, field, form int) {
	switch field {
	case fUser, fMechanism, fAuthHas:
		if m.Auth == nil {
			m.Auth = &track.Auth{}
		}
	default:
		if m.Client == nil {
			m.Client = &track.Client{}
		}
	}
	switch field {
	case fClientIP:
		m.Client.IP = r.str(form)
	case fClientIP4:
		if a, ok := netip.AddrFromSlice([]byte(r.str(form))); ok {
			m.Client.IP = a.String()
		}
	case fClientName:
		m.Client.Name = r.str(form)
	case fHelo:
		m.Client.Helo = r.str(form)
	case fUser:
		m.Auth.User = r.str(form)
	case fMechanism:
		m.Auth.Mechanism = r.str(form)
	default:
		r.num(form)
	}
}

func (r *reader) tls(form int) *track.TLS {
	p := strings.SplitN(r.str(form), "\x00", 3)
	if len(p) != 3 {
		r.fail("tls")
		return nil
	}
	return &track.TLS{Protocol: p[0], Cipher: p[1], Trust: p[2]}
}

func (r *reader) attachment() track.AttachedFile {
	in := reader{b: r.bytes(), dict: r.dict}
	var a track.AttachedFile
	for {
		field, form, ok := in.next()
		if !ok {
			break
		}
		switch field {
		case 1:
			a.Name = in.str(form)
		case 2:
			a.Hash = in.str(form)
		default:
			in.skip(form)
		}
	}
	if in.err != nil {
		r.fail("attachment")
	}
	return a
}

func (r *reader) verdict() track.EngineVerdict {
	in := reader{b: r.bytes(), dict: r.dict}
	var v track.EngineVerdict
	for {
		field, form, ok := in.next()
		if !ok {
			break
		}
		switch field {
		case 1:
			v.Engine = in.str(form)
		case 2:
			v.Verdict = in.str(form)
		case 3:
			v.Score = in.str(form)
		default:
			in.skip(form)
		}
	}
	if in.err != nil {
		r.fail("verdict")
	}
	return v
}
