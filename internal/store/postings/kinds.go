package postings

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/store"
)

// A term is a kind in the highest 8 bits and a payload of 56 bits below it.
// Kinds are part of the stored format: a number is never reused.
type kind uint8

// Terms of messages: their lists hold ordinals.
const (
	kindGateway   kind = 1  // payload: the store's number of the gateway
	kindRow       kind = 2  // rowMessage or rowRejection
	kindStatus    kind = 3  // track.Status
	kindEvent     kind = 4  // track.Kind of an event that was seen
	kindBlind     kind = 5  // number of the bit in track.Blind
	kindEmpty     kind = 6  // store.Field that has no value, see notEmpty
	kindOverflow  kind = 7  // store.Field with a value that is not completely indexed
	kindSize      kind = 8  // bucket, see sizeBucket
	kindMID       kind = 9  //
	kindICID      kind = 10 //
	kindDCID      kind = 11 // of any recipient
	kindMessageID kind = 16 // hash, with case
	kindQueueID   kind = 17 // hash, with case
	kindNext      kind = 18 // hash of Rcpt.NextID
	kindLink      kind = 19 // hash of Link.QueueID
	kindMsgidTri  kind = 24 // trigrams of the Message-ID
	kindQidTri    kind = 25 // trigrams of the queue id
	kindReplyTri  kind = 26 // trigrams of responses and reasons
)

// rowRejection is the payload of kindRow for rows of Kind "rejection".
const (
	rowMessage   = 0
	rowRejection = 1
)

// keyKinds are the kinds whose terms are met in few messages.
var keyKinds = [...]kind{kindMID, kindICID, kindDCID, kindMessageID, kindQueueID, kindNext, kindLink}

// A space is a text field whose values repeat: the index numbers its distinct
// values, and lists of trigrams and domains hold the ranks of values. Each
// space has four kinds: the values themselves (by hash, lists of ordinals),
// trigrams, domains and parent domains (lists of ranks).
type space uint8

const (
	spaceSender space = iota
	spaceRecipient
	spaceSubject
	spaceClient
	spaceHost
	spaceUser
	spaceRelay
	spaceDSN
	spaceTLS
	spaceVerdict
	spaceDirection
	spaceAttachment
	spaceHash
	spaceCount
)

const firstSpaceKind = 32

func (s space) values() kind   { return firstSpaceKind + kind(s)*4 }
func (s space) trigrams() kind { return firstSpaceKind + kind(s)*4 + 1 }
func (s space) domains() kind  { return firstSpaceKind + kind(s)*4 + 2 }
func (s space) parents() kind  { return firstSpaceKind + kind(s)*4 + 3 }

// spaceOf returns the space of a kind and whether the kind's lists hold ranks.
func spaceOf(k kind) (s space, ranks bool) {
	if k < firstSpaceKind {
		return spaceCount, false
	}
	return space((k - firstSpaceKind) / 4), (k-firstSpaceKind)%4 != 0
}

var spaceFields = [spaceCount]store.Field{store.FieldSender, store.FieldRecipient, store.FieldSubject, store.FieldClient, store.FieldHost,
	store.FieldUser, store.FieldRelay, store.FieldDSN, store.FieldTLS, store.FieldVerdict, store.FieldDirection, store.FieldAttachment, store.FieldHash}

// notEmpty is added to a field in the payload of kindEmpty, for the fields that
// few messages have: those that do have the term, instead of those that do not.
// A segment that was written before the field was indexed has none.
const notEmpty = 1 << 8

func sparse(f store.Field) bool {
	return f == store.FieldAttachment || f == store.FieldHash || f == store.FieldDCID
}

// textFields are the fields whose text is indexed by trigrams of each message.
var textFields = [...]struct {
	field store.Field
	tri   kind
}{{store.FieldMessageID, kindMsgidTri}, {store.FieldQueueID, kindQidTri}, {store.FieldResponse, kindReplyTri}}

const (
	payloadBits = 56
	payloadMask = 1<<payloadBits - 1
	// hashBits is the size of a hash that stands for a value: a search for one
	// that is not there finds another about once in 1<<hashBits values.
	hashBits = 48
	// shortBits is its size in kinds with nearly as many values as messages: a
	// few bits less in each, for a hit now and then that has to be turned down by
	// looking at the row.
	shortBits = 32
)

func term(k kind, payload uint64) uint64 { return uint64(k)<<payloadBits | payload }
func kindOf(t uint64) kind               { return kind(t >> payloadBits) }

// short reports whether hashes of the kind do not prove a match.
func (k kind) short() bool {
	return k == kindMessageID || k == kindQueueID || k == kindNext || k == kindLink || k == spaceSubject.values()
}

func hashTerm(k kind, s string) uint64 { return cutHash(k, xxhash.Sum64String(s)) }

func hashBytes(k kind, s []byte) uint64 { return cutHash(k, xxhash.Sum64(s)) }

func cutHash(k kind, h uint64) uint64 {
	if k.short() {
		return term(k, h>>(64-shortBits))
	}
	return term(k, h>>(64-hashBits))
}

// clusterBits of a value's hash come from a part of the value, so that values
// with the same part are neighbours: their ranks are runs in the lists of the
// part's trigrams, which take next to nothing. For a subject it is the first
// word, for an address or name the domain.
const clusterBits = 20

// valueTerm is the term of a folded value of a space.
func valueTerm(s space, v []byte) uint64 {
	k := s.values()
	part := v
	switch s {
	case spaceClient:
		return clientTerm(string(v))
	case spaceSender, spaceRecipient:
		part = domainOf(v)
	case spaceHost:
		part = v[bytes.IndexByte(v, '.')+1:]
	case spaceSubject:
		if i := bytes.IndexByte(v, ' '); i > 0 {
			part = v[:i]
		}
		return term(k, xxhash.Sum64(part)>>(64-clusterBits)<<(shortBits-clusterBits+8)|xxhash.Sum64(v)>>(64-shortBits+clusterBits-8))
	default:
		return hashBytes(k, v)
	}
	return term(k, xxhash.Sum64(part)>>(64-clusterBits)<<(hashBits-clusterBits)|xxhash.Sum64(v)>>(64-hashBits+clusterBits))
}

// domainOf is what is behind the last @, the whole text when there is none.
func domainOf(addr []byte) []byte { return addr[bytes.LastIndexByte(addr, '@')+1:] }

// Payloads of client addresses keep the order of addresses, so that a network
// is a range: two bits for the family, then the address.
const (
	clientV4   = 0 << 54
	clientV6   = 1 << 54
	clientText = 2 << 54 // no address: 54 bits of the text's hash
	v6Bits     = 54      // leading bits of an IPv6 address that are kept
)

func clientTerm(folded string) uint64 {
	k := spaceClient.values()
	a, ok := store.ParseClient(folded)
	if !ok {
		return term(k, clientText|xxhash.Sum64String(folded)>>10)
	}
	return term(k, clientPayload(a))
}

func clientPayload(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return clientV4 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return clientV6 | binary.BigEndian.Uint64(b[:8])>>(64-v6Bits)
}

func isV4(t uint64) bool { return t&(3<<54) == clientV4 }
func isV6(t uint64) bool { return t&(3<<54) == clientV6 }

// clientRange returns the first and last term of the addresses in a network
// and whether they hold no other addresses.
func clientRange(p netip.Prefix) (lo, hi uint64, exact bool) {
	p = p.Masked()
	lo = term(spaceClient.values(), clientPayload(p.Addr()))
	size := 32
	if !p.Addr().Is4() {
		size = v6Bits
	}
	if p.Bits() > size {
		return lo, lo, false
	}
	return lo, lo + 1<<uint(size-p.Bits()) - 1, size == 32 || p.Bits() <= v6Bits
}

// sizeBucket puts sizes into four buckets for each power of two.
func sizeBucket(n int64) uint64 {
	if n < 8 {
		return uint64(max(n, 0))
	}
	l := bits.Len64(uint64(n))
	return uint64(l)*4 + uint64(n)>>(l-3)&3
}

// tri is the payload of a trigram.
func tri(a, b, c byte) uint32 { return uint32(a)<<16 | uint32(b)<<8 | uint32(c) }
