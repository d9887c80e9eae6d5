package app

import (
	"fmt"

	"waybill/internal/maillog"
	"waybill/internal/source"
)

// peekLines is how far into a log the name of its host is looked for.
const peekLines = 1000

// HostIn returns the host that the first lines of a log are from, "" when they
// name none. An unreadable log is a *source.Error.
func HostIn(path string) (string, error) {
	f, err := source.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	headers := maillog.NewHeaders(maillog.HeaderOptions{FileTime: f.ModTime})
	lines := f.Lines()
	var h maillog.Header
	for range peekLines {
		l, ok := lines.Next()
		if !ok {
			return "", lines.Err()
		}
		if headers.Parse(l.Text, &h) && h.Host != "" {
			return h.Host, nil
		}
	}
	return "", nil
}

// Share is the part of an import that belongs to one gateway.
type Share struct {
	Gateway string
	Paths   []string
}

// NoHostError says that a log does not name the host that wrote it.
type NoHostError struct{ Path string }

func (e *NoHostError) Error() string {
	return fmt.Sprintf("%s does not say which host wrote it", e.Path)
}

// ShareOut gives each log to the gateway that its lines name, in the order of
// the logs. A log that cannot be looked into goes with the one before it: the
// import will say what is wrong with it. Standard input cannot be read twice,
// so that it needs a name from outside.
func ShareOut(paths []string) ([]Share, error) {
	var out []Share
	index := make(map[string]int)
	var homeless []string
	for _, p := range paths {
		if p == "-" {
			return nil, &NoHostError{"standard input"}
		}
		host, err := HostIn(p)
		switch {
		case err != nil:
			homeless = append(homeless, p)
			continue
		case host == "":
			return nil, &NoHostError{p}
		}
		i, known := index[host]
		if !known {
			i = len(out)
			index[host] = i
			out = append(out, Share{Gateway: host})
		}
		out[i].Paths = append(out[i].Paths, p)
	}
	if len(homeless) > 0 {
		if len(out) == 0 {
			out = []Share{{}}
		}
		last := &out[len(out)-1]
		last.Paths = append(last.Paths, homeless...)
	}
	return out, nil
}
