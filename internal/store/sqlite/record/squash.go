package record

// Text that comes once takes about five bits a character instead of eight in a
// fixed Huffman code for what mail is made of: names, words, digits, dots.

// codeLengths gives for each byte the length of its code, as a letter: b is 1.
// It is part of the stored format.
const codeLengths = "" +
	"ppppppppppppppppppppppppppppppppejkkllljjjljjgfiggggggggggikhiij" +
	"hjjjjjjjjjjjjjjjjjjjjjjjjjjjpjpipegffeggffjifgffhkffeghgjgkppppp" +
	"nmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm" +
	"pppkppppppppppppkkppppppppppppppppkppppppppppppppppppppppppppppp"

const maxCode = 15 // the longest code; longer than 7, so that filling cannot be one

// squashing is the code, made from its lengths once.
type squashing struct {
	code [256]uint32
	size [256]uint8
	// For reading: codes of one length are numbered from first, and their bytes
	// stand in order from index on.
	first, count, index [maxCode + 1]uint32
	order               [256]byte
}

// code is never changed after the program has started.
var code = newSquashing()

func newSquashing() *squashing {
	s := &squashing{}
	for c := range 256 {
		s.size[c] = codeLengths[c] - 'a'
		s.count[s.size[c]]++
	}
	next, at := uint32(0), uint32(0)
	for n := 1; n <= maxCode; n++ {
		next <<= 1
		s.first[n], s.index[n] = next, at
		for c := range 256 {
			if int(s.size[c]) == n {
				s.code[c] = next
				s.order[at] = byte(c)
				next++
				at++
			}
		}
	}
	return s
}

// squash appends the code of s, filled up with ones.
func squash(dst []byte, s string) []byte {
	acc, bits := uint64(0), uint(0)
	for i := 0; i < len(s); i++ {
		n := uint(code.size[s[i]])
		acc, bits = acc<<n|uint64(code.code[s[i]]), bits+n
		for bits >= 8 {
			bits -= 8
			dst = append(dst, byte(acc>>bits))
		}
	}
	if bits > 0 {
		dst = append(dst, byte(acc<<(8-bits))|byte(1<<(8-bits)-1))
	}
	return dst
}

// squashed is the number of bytes that squash appends.
func squashed(s string) int {
	bits := 0
	for i := 0; i < len(s); i++ {
		bits += int(code.size[s[i]])
	}
	return (bits + 7) / 8
}

// unsquash appends the text of a code. Every sequence of bits is some text.
func unsquash(dst, b []byte) []byte {
	v, n := uint32(0), 0
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			v, n = v<<1|uint32(c>>bit&1), n+1
			if d := v - code.first[n]; d < code.count[n] {
				dst = append(dst, code.order[code.index[n]+d])
				v, n = 0, 0
			}
		}
	}
	return dst
}
