package window

import (
	"fmt"
	"io"
	"path/filepath"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// Report is what Verify found out about a whole file.
type Report struct {
	Path     string
	Identity string
	Header   Header
	Sources  []Source
	Trailer  Trailer
	Digest   [32]byte // of the uncompressed content
	Size     int64    // of the file
	Bytes    int64    // of the uncompressed content
	// Notes tell what is odd without being damage, such as a name that does not
	// belong to the content.
	Notes []string
}

// Verify reads a tracking file to its end. It fails with a *DamagedError when
// the file is not what was sealed.
func Verify(fsys safefs.FS, path string) (Report, error) {
	r, err := Open(fsys, path)
	if err != nil {
		return Report{}, err
	}
	defer r.Close()
	var e track.Event
	for {
		err := r.Next(&e)
		if err == io.EOF {
			break
		}
		if err != nil {
			return Report{}, err
		}
	}
	out := Report{
		Path: path, Identity: Identity(r.header), Header: r.header, Sources: r.sources, Trailer: r.trailer,
		Digest: r.digest, Size: r.raw.n, Bytes: r.Bytes(),
	}
	out.Notes = notes(filepath.Base(path), &r.header)
	return out, nil
}

func notes(base string, h *Header) (out []string) {
	n, err := ParseName(base)
	if err != nil {
		return []string{fmt.Sprintf("the name is not one of a tracking file; its content belongs to %s", NameOf(h.Interval, false))}
	}
	want := NameOf(h.Interval, n.Compressed)
	shift := n.From.Sub(want.From)
	if shift < 0 || shift.Seconds() > maxShift || n.To.Sub(want.To) != shift {
		out = append(out, fmt.Sprintf("the name does not belong to the content, which covers %s to %s", h.Interval.From, h.Interval.To))
	}
	return out
}
