package search

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/store"
	"waybill/internal/track"
)

// A cursor carries what the next page needs: the range as it was resolved for
// the first page (so that -24h does not slide), the place in the order, and a
// hash of the request, because a place in one result means nothing in another.
// It is checked for sanity, not kept secret: who forges one can only ask for
// what he may ask for anyway.

const cursorVersion = 1

// page is the content of a cursor.
type page struct {
	rng  track.Interval
	hash uint64
	at   store.Cursor
}

func (c page) encode() string {
	b := []byte{cursorVersion}
	b = binary.AppendVarint(b, int64(c.rng.From))
	b = binary.AppendVarint(b, int64(c.rng.To))
	b = binary.BigEndian.AppendUint64(b, c.hash)
	b = binary.AppendVarint(b, int64(c.at.Time))
	b = append(b, c.at.Row...)
	b = binary.BigEndian.AppendUint32(b, uint32(xxhash.Sum64(b)))
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodePage(s string) (page, error) {
	damaged := fmt.Errorf("%w: the cursor is damaged; begin again without it", ErrUsage)
	var c page
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) < 5 || b[0] != cursorVersion {
		return c, damaged
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if uint32(xxhash.Sum64(body)) != sum {
		return c, damaged
	}
	rest := body[1:]
	number := func() int64 {
		v, n := binary.Varint(rest)
		if n <= 0 {
			err = damaged
			return 0
		}
		rest = rest[n:]
		return v
	}
	c.rng.From, c.rng.To = track.Stamp(number()), track.Stamp(number())
	if err != nil || len(rest) < 8 {
		return c, damaged
	}
	c.hash, rest = binary.BigEndian.Uint64(rest), rest[8:]
	c.at.Time = track.Stamp(number())
	c.at.Row = string(rest)
	if err != nil || c.at.Row == "" {
		return c, damaged
	}
	return c, nil
}

// hashRequest tells requests apart by what they ask for, in the words in which
// they ask: the size of a page and the hour of the day do not count.
func hashRequest(q Query, r *Request) uint64 {
	d := xxhash.New()
	for _, s := range append([]string{q.String(), r.From, r.To}, r.Gateways...) {
		_, _ = d.WriteString(s) // a hash never fails
		_, _ = d.WriteString("\x00")
	}
	return d.Sum64()
}
