package doctor

import (
	"strings"
	"time"

	"waybill/internal/window"
)

// stampLen is the length of "Mon Feb 13 20:19:29 2023".
const stampLen = 24

// stamper reads the stamps of AsyncOS text logs: local time, without a zone. The
// day is mostly that of the line before.
type stamper struct {
	day  string // "Mon Feb 13", of the line before
	year string
	at   int64 // that day's midnight, as if it were in UTC
}

// read returns the seconds of a line's stamp, as if it were in UTC, and what
// stands behind it.
func (p *stamper) read(s string) (local int64, rest string, ok bool) {
	if len(s) < stampLen || s[3] != ' ' || s[10] != ' ' || s[13] != ':' || s[16] != ':' || s[19] != ' ' {
		return 0, s, false
	}
	if s[:10] != p.day || s[20:24] != p.year {
		t, err := time.Parse("Mon Jan _2 2006", s[:10]+" "+s[20:24])
		if err != nil || t.Year() < 1970 || t.Year() > 2100 {
			return 0, s, false
		}
		p.day, p.year, p.at = strings.Clone(s[:10]), strings.Clone(s[20:24]), t.Unix()
	}
	h, m, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60 {
		return 0, s, false
	}
	return p.at + int64(h)*3600 + int64(m)*60 + int64(sec), s[stampLen:], true
}

// two reads two digits, -1 for anything else.
func two(s string) int {
	if len(s) < 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

// span is the window that a tracking file's name tells, in seconds of UTC.
type span struct {
	from uint32
	len  uint32
}

func (w span) to() int64 { return int64(w.from) + int64(w.len) }

// name is the file's name.
func (w span) name(compressed bool) string {
	return window.Name{From: time.Unix(int64(w.from), 0).UTC(), To: time.Unix(w.to(), 0).UTC(), Compressed: compressed}.String()
}

const (
	namePrefix = "tracking.@"
	nameLen    = len(namePrefix) + 16 + 1 + 16 // up to the ending
	// maxWindow bounds the seconds of a window: the longest that can be set is an
	// hour, and names are shifted by seconds.
	maxWindow = 2 * 3600
)

// spanOf reads the name of a tracking file at the end of a path.
func (p *namer) spanOf(path string) (w span, compressed, ok bool) {
	i := strings.LastIndexByte(path, '/')
	s := path[i+1:]
	if !strings.HasPrefix(s, namePrefix) || len(s) < nameLen+2 || s[nameLen:] != ".s" && s[nameLen:] != ".s.gz" || s[len(namePrefix)+16] != '_' {
		return span{}, false, false
	}
	from, ok1 := p.utc(s[len(namePrefix):])
	to, ok2 := p.utc(s[len(namePrefix)+17:])
	if !ok1 || !ok2 || to <= from || to-from > maxWindow {
		return span{}, false, false
	}
	return span{uint32(from), uint32(to - from)}, len(s) > nameLen+2, true
}

// namer reads the times in names; the day is mostly the one before.
type namer struct {
	day string // "20230213"
	at  int64
}

// utc reads "20230213T191631Z".
func (p *namer) utc(s string) (int64, bool) {
	if s[8] != 'T' || s[15] != 'Z' {
		return 0, false
	}
	if s[:8] != p.day {
		t, err := time.Parse("20060102", s[:8])
		if err != nil || t.Year() < 1970 || t.Year() > 2100 {
			return 0, false
		}
		p.day, p.at = strings.Clone(s[:8]), t.Unix()
	}
	h, m, sec := two(s[9:]), two(s[11:]), two(s[13:])
	if h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59 {
		return 0, false
	}
	return p.at + int64(h)*3600 + int64(m)*60 + int64(sec), true
}

// fact is what a line of a log says.
type fact struct {
	what       what
	pid        string
	user       string
	gateway    string // as the log writes it: an address
	address    string // where a login is from
	own        string // address of the manager that writes the log, where a line says it
	win        span
	compressed bool
}

// what a line tells.
type what uint8

const (
	noise   what = iota // nothing that matters here
	ingest              // trackerd took a file in
	pull                // smad began to copy a file
	login               // somebody came over SSH
	list                // and listed the directory of tracking files
	scp                 // and copied a file
	remove              // and removed one
	command             // and did something else
	logout
	named // a name in a listing
	peer  // a manager's word for a gateway's address
)

// factOf reads the text behind a stamp: " Info: Tracking parser moved ...".
func (p *namer) factOf(s string) (f fact, level bool) {
	i := strings.Index(s, ": ")
	if i < 1 || i > 12 || s[0] != ' ' {
		return fact{}, false
	}
	s = s[i+2:]
	switch {
	case strings.HasPrefix(s, "PID "):
		return p.session(s[4:]), true
	case strings.HasPrefix(s, "PEER: connected to "):
		return peerOf(s[len("PEER: connected to "):]), true
	case strings.HasPrefix(s, "Tracking parser moved "):
		src, dst, ok := strings.Cut(s[len("Tracking parser moved "):], " to ")
		if ok {
			f = p.transfer(ingest, src)
			if to, _, _ := strings.Cut(dst, "/incoming_queue/"); to == dst {
				f.what = noise // within the queues: it was told before
			}
		}
		return f, true
	case strings.HasPrefix(s, "TRANSFER: Plugin TRACKINGPLUGIN downloading from "):
		gateway, path, ok := strings.Cut(s[len("TRANSFER: Plugin TRACKINGPLUGIN downloading from "):], " - ")
		if ok {
			if f = p.transfer(pull, path); f.what != noise {
				f.gateway = gateway
			}
		}
		return f, true
	}
	return fact{}, true
}

// transfer reads a path of a tracking file below a gateway's directory.
func (p *namer) transfer(w what, path string) fact {
	win, compressed, ok := p.spanOf(strings.TrimSuffix(path, "."))
	if !ok {
		return fact{}
	}
	dir := path[:strings.LastIndexByte(path, '/')+1]
	dir = strings.TrimSuffix(dir, "/")
	return fact{what: w, gateway: dir[strings.LastIndexByte(dir, '/')+1:], win: win, compressed: compressed}
}

// session reads "51423: User smaduser login from 192.0.2.94 on 192.0.2.64".
func (p *namer) session(s string) fact {
	pid, s, ok := strings.Cut(s, ": User ")
	if !ok || pid == "" || len(pid) > 10 {
		return fact{}
	}
	user, s, ok := strings.Cut(s, " ")
	if !ok {
		return fact{}
	}
	f := fact{pid: pid, user: user}
	switch {
	case strings.HasPrefix(s, "login from "):
		var on string
		f.address, on, _ = strings.Cut(s[len("login from "):], " on ")
		f.gateway, _, _ = strings.Cut(on, " ")
		f.what = login
		if f.address == "" || f.gateway == "" || strings.ContainsAny(f.address, " \t") {
			return fact{}
		}
	case strings.HasPrefix(s, "executed batch command: '"):
		f.what = command
		if s, whole := strings.CutSuffix(strings.TrimRight(s[len("executed batch command: '"):], " "), "'"); whole {
			p.batch(&f, s)
		}
	case strings.HasPrefix(s, "logged out"):
		f.what = logout
	default:
		return fact{}
	}
	return f
}

// batch reads a command: "scp -f /export/tracking/tracking.@..._....s.gz".
func (p *namer) batch(f *fact, s string) {
	verb, rest, _ := strings.Cut(s, " ")
	last := rest[strings.LastIndexByte(rest, ' ')+1:]
	switch verb {
	case "ls":
		if strings.Contains(last, "tracking") {
			f.what = list
		}
	case "scp":
		if win, compressed, ok := p.spanOf(last); ok && hasWord(rest, "-f") {
			f.what, f.win, f.compressed = scp, win, compressed
		}
	case "rm":
		if win, compressed, ok := p.spanOf(last); ok {
			f.what, f.win, f.compressed = remove, win, compressed
		}
	}
}

func hasWord(s, word string) bool {
	for s != "" {
		var w string
		if w, s, _ = strings.Cut(s, " "); w == word {
			return true
		}
	}
	return false
}
